"""``sedna up``: the whole service in one process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
    edges: Annotated[int, typer.Option("--edge", min=0, max=16, help="Run so many edges in this process.")] = 0,
    log_level: Annotated[str, typer.Option("--log-level", help="DEBUG, INFO, WARNING or ERROR.")] = "WARNING",
) -> None:
    """Run the service until Ctrl-C; workers that train then go on and are taken over by the next start."""
    from globalmanager.service.run import run

    options: dict[str, object] = {"data_dir": data, "host": host, "port": port, "edges": edges, "log_level": log_level}
    if store is not None:
        options["store_url"] = store
    run(options)
