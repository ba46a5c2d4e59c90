"""``sedna config``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.options import Format, Output
from globalmanager.cli.render import Column, field, print_data

app = typer.Typer(help="Show the settings of a service.", no_args_is_help=True)

_LIST = (
    Column("SETTING", field("name")),
    Column("VALUE", field("value")),
    Column("FROM", field("source")),
    Column("MEANING", field("meaning")),
)


@app.callback()
def config() -> None:
    """Show the settings of a service."""


@app.command("show")
def show_config(
    data: Annotated[
        Path | None, typer.Option("--data", help="Folder of the service; its service.yaml counts as well.")
    ] = None,
    changed: Annotated[bool, typer.Option("--changed", help="Only what is not a default.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show every setting with which 'sedna up' would start here: value, where it comes from, meaning; no secrets.

    Options of 'sedna up' win over the environment (SEDNA__NAME, SEDNA__PART__NAME), that over service.yaml. Without
    --data it is the service of 'sedna context use', where one of this machine was chosen.
    """
    from globalmanager.cli.contexts import chosen
    from sedna.common.extras import extra_needed

    with extra_needed("control", "sedna config show"):
        from globalmanager.service.settings_report import settings_report

    if data is None and (target := chosen()) is not None and target.data is not None:
        data = Path(target.data)
        typer.echo(f"settings of the service with its data in {data}, {target.why}", err=True)
    lines = [line.model_dump() for line in settings_report(data)]
    if changed:
        lines = [line for line in lines if line["source"] not in ("default", "not set")]
    print_data(lines, output, _LIST, empty="all settings are defaults")
