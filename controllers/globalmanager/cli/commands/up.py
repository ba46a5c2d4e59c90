"""``sedna up``: the whole service in one process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from globalmanager.cli.options import FromService, Modules

if TYPE_CHECKING:
    from globalmanager.service.service import Service


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
    from globalmanager.cli.contexts import chosen, save_started
    from sedna.common.extras import extra_needed

    # Imported here: other commands work without the packages of the service.
    with extra_needed("control", "sedna up"):
        from globalmanager.auth.admin_token import ADMIN_TOKEN_FILE
        from globalmanager.service.run import load_settings, run

    options: dict[str, object] = {"data_dir": data, "host": host, "port": port, "edges": edges, "log_level": log_level}
    if allow_module_from_service:
        options["allow_module_from_service"] = True
    if store is not None:
        options["store_url"] = store
    if modules:
        options["modules"] = tuple(modules)
    file = load_settings(options).data_dir / ADMIN_TOKEN_FILE
    before = _text(file)

    def started(service: Service) -> None:
        save_started(service.url, service.admin_token, service.settings.data_dir)
        typer.echo(f"service      {service.url}  (documentation: {service.url}/docs)")
        typer.echo(f"page         {page_line(service, private=sys.stdout.isatty())}")
        # Shown once, and never one that was given: these lines may end in a log that others read.
        if service.settings.admin_token is not None:
            typer.echo("admin token  that of SEDNA__ADMIN_TOKEN or the settings file")
        elif service.admin_token == before:
            typer.echo(f"admin token  in {file}")
        else:
            typer.echo(f"admin token  {service.admin_token}  (from now on: {file})")
        for name, url in service.edge_urls.items():
            typer.echo(f"edge         {name} on {url}")
        elsewhere = chosen()
        if elsewhere is not None and elsewhere.url != service.url:
            hint = "'sedna context use --auto' ends that"
            typer.echo(f"warning: commands go to {elsewhere.url}, which was chosen: {hint}", err=True)
        typer.echo("Ctrl-C ends it; workers that train then go on and are taken over by the next start.")

    run(options, started)


def page_line(service: Service, *, private: bool) -> str:
    """Where the page is, or how to get it.

    Args:
        private: whether only who has started it reads this; a link signs in whoever has it.
    """
    from globalmanager.api.page import HOW_TO_BUILD, is_built, why_not_built

    folder = service.api.page_dir
    if not is_built(folder):
        return f"none: {why_not_built(folder)}; {HOW_TO_BUILD}"
    # What a container writes stands in a log; and of a service whose token was given others read these lines as well.
    if not private or service.settings.admin_token is not None:
        return f"{service.url}/ui/  ('sedna token link NAME' makes a link that signs NAME in)"
    return f"{service.login_link()}  (opens it signed in: once, within five minutes)"


def _text(path: Path) -> str | None:
    """The token in a file, None where there is no such file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
