"""``sedna round``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from globalmanager.cli.options import Format, JobName, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_table, time_of

app = typer.Typer(help="List and show rounds.", no_args_is_help=True)

_LIST = (
    Column("ROUND", field("round")),
    Column("KIND", field("kind")),
    Column("STATE", lambda row: row["outcome"] or row["stage"]),
    Column("CANDIDATE", field("candidate")),
    Column("CHAMPION", field("champion")),
    Column("DATASET", field("dataset_version")),
    Column("STARTED", time_of("started_at")),
    Column("ENDED", time_of("ended_at")),
    Column("REASON", lambda row: row["outcome_reason"] or row["reason"]),
)

_STAGES = (
    Column("STAGE", field("stage")),
    Column("ATTEMPT", field("attempt")),
    Column("AT", time_of("at")),
    Column("REASON", field("reason")),
)

_CHECKS = (
    Column("CHECK", field("name")),
    Column("PASSED", lambda row: "not enough evidence" if row["passed"] is None else row["passed"]),
    Column("OBSERVED", field("observed")),
    Column("REQUIRED", field("required")),
    Column("REASON", field("reason")),
)

_WORKERS = (
    Column("WORKER", field("name")),
    Column("STAGE", field("stage")),
    Column("ATTEMPT", field("attempt")),
    Column("PHASE", field("phase")),
    Column("EXIT", field("exit_code")),
    Column("CPU SECONDS", field("usage.cpu_seconds")),
    Column("ERROR", lambda row: (row["error"] or "").strip().partition("\n")[0]),
)


@app.command("list")
def list_rounds(
    job: JobName,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 20,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """List rounds, the newest first."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        print_data(client.pages(f"{job_path(job)}/rounds", limit=limit), output, _LIST, empty="no rounds yet")


@app.command("show")
def show_round(
    job: JobName,
    number: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.", show_default=False)],
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show one round: stages, workers, and what the gate said."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        found = client.get(f"{job_path(job)}/rounds/{number}")
    if output is not Format.TABLE:
        print_data(found, output, ())
        return
    print_table([found["round"]], _LIST)
    _section("Stages", found["round"]["stages"], _STAGES)
    _section("Workers", found["workers"], _WORKERS)
    verdict = found["round"]["verdict"]
    if verdict:
        _section(f"Gate: {verdict['outcome']} ({verdict['samples']} samples)", verdict["checks"], _CHECKS)


def _section(title: str, rows: list[Any], columns: tuple[Column, ...]) -> None:
    if rows:
        typer.echo(f"\n{title}")
        print_table(rows, columns)
