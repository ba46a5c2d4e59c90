"""``sedna events``."""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from globalmanager.cli.options import Format, Output, Token, Url
from sedna.common.errors import LinkUnavailableError

_RECONNECT_SECONDS = 2.0


def events(
    job: Annotated[str | None, typer.Option("--job", help="Only of this job.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on as they happen, until Ctrl-C.")] = False,
    after: Annotated[int, typer.Option("--after", min=0, help="Only after this event id.")] = 0,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print events, the oldest first; -o json prints one object a line."""
    from globalmanager.cli.client import connect, job_path

    last = after
    with connect(url, token) as client:
        path = f"{job_path(job)}/events" if job else "events"
        while True:
            try:
                for event in client.events(path, after=last, follow=follow):
                    # Kept before it is printed: a stream that breaks off goes on behind it.
                    last = event["id"]
                    _print(event, output)
            except LinkUnavailableError as error:
                if not follow:
                    raise
                typer.echo(f"warning: {error.message}; trying again", err=True)
            if not follow:
                return
            # Also after an end without an error: a service that shuts down ends its streams in order.
            time.sleep(_RECONNECT_SECONDS)


def _print(event: dict[str, Any], output: Format) -> None:
    if output is Format.JSON:
        typer.echo(json.dumps(event, ensure_ascii=False))
    elif output is Format.YAML:
        import yaml

        typer.echo(yaml.safe_dump([event], sort_keys=False, allow_unicode=True), nl=False)
    else:
        job = event["job"]
        name = f"{job['namespace']}/{job['name']}" if job else "-"
        at = event["at"][:19].replace("T", " ")
        typer.echo(f"{event['id']:>6}  {at}  {event['level']:<7}  {name:<24}  {event['kind']:<16}  {event['message']}")
