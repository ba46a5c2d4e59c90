"""``sedna token``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from globalmanager.cli.options import Format, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_secret, time_of

app = typer.Typer(help="Create, list and revoke tokens, and link a browser to one.", no_args_is_help=True)

_LIST = (
    Column("NAME", field("name")),
    Column("ROLE", field("role")),
    Column("EDGE", field("edge")),
    Column("CREATED", time_of("created_at")),
    Column("EXPIRES", time_of("expires_at")),
    Column("REVOKED", time_of("revoked_at")),
)

TokenName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the token; goes to logs.", show_default=False)]
_SECONDS_PER_DAY = 86400


class TokenRole(StrEnum):
    """What a token may do."""

    ADMIN = "admin"
    LABELLER = "labeller"
    VIEWER = "viewer"
    EDGE = "edge"


@app.command("create")
def create_token(
    name: TokenName,
    role: Annotated[
        TokenRole,
        typer.Option(
            "--role", help="viewer: sees all but tokens; labeller: labels as well; admin: everything; edge: one edge."
        ),
    ] = TokenRole.ADMIN,
    edge: Annotated[str | None, typer.Option("--edge", help="Role edge: of which edge.")] = None,
    days: Annotated[
        float | None, typer.Option("--days", min=0.0, help="How long it is valid; default: for ever.")
    ] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Make a token and print it, alone on standard output; it cannot be shown again."""
    from globalmanager.cli.client import connect

    body: dict[str, object] = {"name": name, "role": role.value}
    if edge is not None:
        body["edge"] = edge
    if days is not None:
        body["expires_in_seconds"] = days * _SECONDS_PER_DAY
    with connect(url, token) as client:
        found = client.post("tokens", body)
    print_secret(found, output, name)


@app.command("list")
def list_tokens(output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """List tokens, without their secrets."""
    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        print_data(client.get("tokens"), output, _LIST)


@app.command("link")
def link_token(name: TokenName, output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Make a link that opens the page signed in as NAME: once, within five minutes."""
    from urllib.parse import quote

    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        found = client.post(f"tokens/{quote(name, safe='')}/links", {})
        found["link"] = f"{client.url.rstrip('/')}{found['path']}"
    if output is Format.TABLE:
        # Alone on standard output: it is opened, or sent to somebody.
        typer.echo(found["link"])
    else:
        print_data(found, output, ())


@app.command("revoke")
def revoke_token(name: TokenName, url: Url = None, token: Token = None) -> None:
    """End a token at once, and every sign-in that began with it."""
    from urllib.parse import quote

    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        client.delete(f"tokens/{quote(name, safe='')}")
    typer.echo(f"token {name} is revoked")
