"""The cloud side: REST API, engine, database, labelling, model registry and worker runtimes."""
