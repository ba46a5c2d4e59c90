"""``/docs``: the description of an application's routes for browsers, without a byte from another host.

The viewer (Swagger UI) is taken from the files that the package fastapi-offline ships, since edges and factories are
often cut off from the internet.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from importlib.resources import as_file, files

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import FileResponse, HTMLResponse

__all__ = ["serve_documentation"]

_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}

_CACHE_SECONDS = 86400
"""The viewer changes with the installed package only; a browser may keep it for a day."""


def serve_documentation(app: FastAPI) -> None:
    """Add ``/docs`` and the files of its viewer to an application that was made with ``docs_url=None``.

    Every address in the page is relative, so that it works behind a proxy's prefix, and its policy allows nothing but
    this server and the one script in the page.
    """
    page = bytes(
        get_swagger_ui_html(
            openapi_url="openapi.json",
            title=app.title,
            swagger_js_url="docs/swagger-ui-bundle.js",
            swagger_css_url="docs/swagger-ui.css",
            swagger_favicon_url="docs/favicon.png",
            swagger_ui_parameters={"validatorUrl": None},  # by default a service on the internet reads the description
        ).body
    )
    headers = {"Content-Security-Policy": _policy(page)}

    @app.get("/docs", include_in_schema=False)
    def documentation() -> HTMLResponse:
        return HTMLResponse(page, headers=headers)

    for name, media_type in _FILES.items():
        app.add_api_route(f"/docs/{name}", _sender(name, media_type), include_in_schema=False)


def _sender(name: str, media_type: str) -> Callable[[], FileResponse]:
    with as_file(files("fastapi_offline") / "static" / name) as path:
        assert path.is_file(), f"fastapi-offline ships {name}"

    def send() -> FileResponse:
        return FileResponse(path, media_type=media_type, headers={"Cache-Control": f"max-age={_CACHE_SECONDS}"})

    return send


def _policy(page: bytes) -> str:
    scripts = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in scripts)
    return (
        f"default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self';"
        f" script-src 'self' {hashes}; frame-ancestors 'none'"
    )
