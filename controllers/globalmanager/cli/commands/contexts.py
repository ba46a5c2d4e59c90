"""``sedna context``: which service the commands go to."""

from __future__ import annotations

from typing import Annotated

import typer

from globalmanager.cli.options import Format, Output, Token
from globalmanager.cli.render import Column, field, print_data

app = typer.Typer(help="List the known services, and use one of them for the commands.", no_args_is_help=True)

_LIST = (
    Column("CURRENT", field("current")),
    Column("URL", field("url")),
    Column("DATA", field("data")),
    Column("BECAUSE", field("because")),
)


@app.command("list")
def list_contexts(output: Output = Format.TABLE) -> None:
    """List the services that you have started or chosen; the current one is where commands go from this folder."""
    from globalmanager.cli.contexts import find_target, known_services
    from sedna.common.errors import SpecError

    try:
        current = find_target(None, None)
    except SpecError:
        current = None  # none is known, or the chosen one is gone: the list is where one sees that
    known = {target.name: target for target in known_services()}
    if current is not None:
        known.setdefault(current.name, current)
    rows = [
        {
            "url": target.url,
            "data": target.data,
            "current": current is not None and target.name == current.name,
            "because": current.why if current is not None and target.name == current.name else None,
        }
        for _, target in sorted(known.items())
    ]
    print_data(rows, output, _LIST, empty="no service is known; 'sedna up' starts one")


@app.command("use")
def use_context(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Data folder or address, or the end of one.", show_default=False),
    ] = None,
    auto: Annotated[
        bool, typer.Option("--auto", help="None: that of the folder one is in, or else the last one started.")
    ] = False,
    token: Token = None,
) -> None:
    """Let commands go to one service, from whatever folder; --url and SEDNA_URL still win."""
    from globalmanager.cli.client import Client
    from globalmanager.cli.contexts import choose
    from sedna.common.errors import SpecError

    if (name is None) == (not auto):
        raise SpecError("give a service or --auto", where="sedna context use", hint="'sedna context list' has them")
    if name is not None and token is not None:
        # An address that nobody has used yet: tried before it is kept.
        with Client(name, token) as client:
            client.get("jobs")
    target = choose(name, token)
    typer.echo("commands go to the service of the folder" if target is None else f"commands go to {target}")
