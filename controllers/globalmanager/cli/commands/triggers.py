"""``sedna trigger``: ask for a round, or ask whether one is due."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from globalmanager.cli.errors import ExitCode
from globalmanager.cli.options import Format, JobName, Output, Token, Url, parse_pairs
from globalmanager.cli.render import Column, field, print_data

if TYPE_CHECKING:
    from globalmanager.cli.client import Client

_POLL_SECONDS = 0.5


class Action(StrEnum):
    """What is asked for."""

    TRAIN = "train"
    EVAL = "eval"
    DEPLOY = "deploy"


class TriggerGroup(TyperGroup):
    """``sedna trigger JOB train`` is short for ``sedna trigger request JOB train``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the command; a word that is none is the name of a job."""
        # A job that is called like a command needs the long form.
        if args and args[0] not in self.commands:
            args = ["request", *args]
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=TriggerGroup,
    help="Request a round (sedna trigger JOB train|eval|deploy --reason TEXT), or explain why none starts.",
    no_args_is_help=True,
)

_REQUEST = (
    Column("REQUEST", field("id")),
    Column("ACTION", field("action")),
    Column("STATE", field("state")),
    Column("ROUND", field("round")),
    Column("MESSAGE", field("message")),
)


@app.command("request")
def request(
    job: JobName,
    action: Annotated[Action, typer.Argument(help="What to do.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the round.", show_default=False)],
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Deploy: which model; default: the last candidate.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="Train: for this round only; repeatable.")
    ] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="A repetition with the same key asks only once.")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until the round has ended; exit code 1 if it failed or was refused.")
    ] = False,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Ask for a round. The same as: sedna trigger JOB ACTION."""
    from globalmanager.cli.client import connect, job_path

    body: dict[str, object] = {"action": action.value, "reason": reason, "parameters": parse_pairs(param or [])}
    if version is not None:
        body["version"] = version
    with connect(url, token) as client:
        path = job_path(job)
        headers = {"Idempotency-Key": key} if key else None
        found = client.post(f"{path}/triggers", body, headers)
        if wait:
            wait_for_round(client, path, found, output)
        else:
            print_data(found, output, _REQUEST)


@app.command("explain")
def explain(job: JobName, output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Would the train trigger fire now, and why, or why not?"""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        decision = client.get(f"{job_path(job)}/trigger:explain")
    if output is not Format.TABLE:
        print_data(decision, output, ())
        return
    typer.echo("fires now" if decision["fire"] else "does not fire")
    for reason in decision["reasons"]:
        typer.echo(f"  {reason}")
    for name, value in decision["observed"].items():
        typer.echo(f"  {name} = {value}")


def wait_for_round(client: Client, path: str, request: dict[str, Any], output: Format) -> None:
    """Follow a request to its answer, and its round to the end; exit code 1 if it was refused or failed."""
    while request["state"] == "pending":
        time.sleep(_POLL_SECONDS)
        request = client.get(f"{path}/triggers/{request['id']}")
    if request["state"] == "refused":
        typer.echo(f"error: the request was refused: {request['message']}", err=True)
        raise typer.Exit(ExitCode.FAILURE)
    shown = ""
    while True:
        found = client.get(f"{path}/rounds/{request['round']}")["round"]
        state = f"round {found['round']}: {found['outcome'] or found['stage']}"
        if state != shown:
            typer.echo(state, err=True)
            shown = state
        if found["outcome"] is not None:
            break
        time.sleep(_POLL_SECONDS)
    columns = (
        Column("ROUND", field("round")),
        Column("OUTCOME", field("outcome")),
        Column("REASON", field("outcome_reason")),
    )
    print_data(found, output, columns)
    if found["outcome"] == "Failed":
        raise typer.Exit(ExitCode.FAILURE)
