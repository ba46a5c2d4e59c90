"""The REST API. ``globalmanager.api.app.create_app`` makes it; nothing heavy is imported here.

``globalmanager.api.manifests`` reads job descriptions and is used by the command line as well, without a web server.
"""
