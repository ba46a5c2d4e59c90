"""``sedna up``: the whole service in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.options import FromService, Modules


def up(
    data: Annotated[Path, typer.Option("--data", help="Folder of the service: database, store, logs.")] = Path(
        "sedna-data"
    ),
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 = any free one.")] = 8080,
    store: Annotated[
        str | None,
        typer.Option("--store", help="s3://BUCKET/PREFIX or a folder.  [default: DATA/store]", show_default=False),
    ] = None,
    edges: Annotated[int, typer.Option("--edge", min=0, max=16, help="How many edges run in this process.")] = 0,
    modules: Modules = None,
    allow_module_from_service: FromService = False,
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run the service until Ctrl-C; workers that train then go on and are taken over by the next start."""
    from globalmanager.cli.client import CONTEXT_FILE, default_context, save_context
    from sedna.common.extras import extra_needed

    # Imported here: other commands work without the packages of the service.
    with extra_needed("control", "sedna up"):
        from globalmanager.service.run import run
        from globalmanager.service.service import Service

    def started(service: Service) -> None:
        # In both: the user's file is overwritten by the next service, the one beside the data stays its own.
        for path in (service.settings.data_dir / CONTEXT_FILE, default_context()):
            save_context(path, service.url, service.admin_token)
        typer.echo(f"service      {service.url}  (documentation: {service.url}/docs)")
        # One that was given is known to whoever gave it, and these lines may end in a log that others read.
        given = service.settings.admin_token is not None
        typer.echo(f"admin token  {'that of SEDNA__ADMIN_TOKEN' if given else service.admin_token}")
        for name, url in service.edge_urls.items():
            typer.echo(f"edge         {name} on {url}")
        typer.echo("Ctrl-C ends it; workers that train then go on and are taken over by the next start.")

    options: dict[str, object] = {"data_dir": data, "host": host, "port": port, "edges": edges, "log_level": log_level}
    if allow_module_from_service:
        options["allow_module_from_service"] = True
    if store is not None:
        options["store_url"] = store
    if modules:
        options["modules"] = tuple(modules)
    run(options, started)
