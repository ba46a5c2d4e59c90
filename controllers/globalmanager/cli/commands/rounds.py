"""``sedna round``."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Annotated, Any

import typer

from globalmanager.cli.options import Format, JobName, Limit, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_note, print_table, time_of

_POLL_SECONDS = 0.5


class WorkerStage(StrEnum):
    """Which worker of a round."""

    TRAIN = "train"
    EVAL = "eval"


app = typer.Typer(help="List and show rounds, print their logs, and watch one.", no_args_is_help=True)


def _first_line(text: str) -> str:
    """A failure carries the end of a log, which no cell can show; ``round logs`` does."""
    return text.strip().partition("\n")[0]


_LIST = (
    Column("ROUND", field("round")),
    Column("KIND", field("kind")),
    Column("STATE", lambda row: row["outcome"] or row["stage"]),
    Column("CANDIDATE", field("candidate")),
    Column("CHAMPION", field("champion")),
    Column("DATASET", field("dataset_version")),
    Column("STARTED", time_of("started_at")),
    Column("ENDED", time_of("ended_at")),
    Column("EVALUATION", lambda row: "older labels" if row["holdout_changes"] and row["evaluation"] else None),
    Column("REASON", lambda row: _first_line(row["outcome_reason"] or row["reason"])),
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
    Column("ERROR", lambda row: _first_line(row["error"] or "")),
)


@app.command("list")
def list_rounds(
    job: JobName,
    limit: Limit = 20,
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
    round_id: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.", show_default=False)],
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show one round: stages, workers, and what the gate said."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        found = client.get(f"{job_path(job)}/rounds/{round_id}")
        version = found["round"]["dataset_version"]
        removed = 0 if version is None else client.get(f"{job_path(job)}/datasets/{version}")["removed"]
    if output is not Format.TABLE:
        print_data(found, output, ())
        return
    print_table([found["round"]], _LIST)
    _section("Stages", found["round"]["stages"], _STAGES)
    _section("Workers", found["workers"], _WORKERS)
    verdict = found["round"]["verdict"]
    _warn_of_changes(found["round"], removed)
    if verdict:
        _section(f"Gate: {verdict['outcome']} ({verdict['samples']} samples)", verdict["checks"], _CHECKS)


def _warn_of_changes(row: dict[str, Any], removed: int) -> None:
    """What has changed since under the round's feet."""
    if row["holdout_changes"] and row["evaluation"]:
        when = row["holdout_changed_at"][:19].replace("T", " ")
        text = f"{row['holdout_changes']} label(s) of the hold-out changed since this evaluation"
        typer.echo(f"\nwarning: {text}, last by {row['holdout_changed_by']} at {when}", err=True)
    if removed:
        text = f"{removed} sample(s) of dataset version {row['dataset_version']} were excluded or deleted since"
        typer.echo(f"warning: {text}", err=True)


@app.command("logs")
def print_logs(
    job: JobName,
    round_id: Annotated[int, typer.Argument(metavar="ROUND", min=1, help="Number of the round.", show_default=False)],
    stage: Annotated[
        WorkerStage | None, typer.Option("--stage", help="Of which worker.  [default: the newest]", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on until the worker ends.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", min=1, help="Only this many bytes of the end.")] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print what the newest worker of a round wrote, while it runs and afterwards."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = f"{job_path(job)}/rounds/{round_id}"
        worker, kind, offset = "", stage, 0 if tail is None else -tail
        while True:
            part = client.get(f"{path}/log", stage=kind, offset=offset)
            if worker and part["worker"] != worker:
                # A further attempt, or the evaluation after the training: from its beginning.
                worker, offset = part["worker"], 0
                typer.echo(f"--- {worker}")
                continue
            worker, kind = part["worker"], WorkerStage(part["kind"])
            _echo_log(part, offset)
            # The service says where to go on: a tail begins at an offset that only it knows.
            got_more, offset = part["next_offset"] > part["offset"], part["next_offset"]
            if got_more:
                continue
            if not follow or (part["ended"] and stage is not None):
                return
            if part["ended"]:
                newest = client.get(f"{path}/log", offset=-1)
                if newest["worker"] != worker:
                    kind = WorkerStage(newest["kind"])
                    continue
                if client.get(path)["round"]["outcome"]:
                    return
            time.sleep(_POLL_SECONDS)


def _echo_log(part: dict[str, Any], offset: int) -> None:
    if not part["kept"]:
        print_note(part["worker"], "its log is no longer kept; the newest rounds have theirs")
    elif 0 <= offset < part["offset"]:
        print_note(part["worker"], f"{part['offset'] - offset} bytes before this are no longer kept")
    typer.echo(part["text"], nl=False)


@app.command("watch")
def watch_round(
    job: JobName,
    round_id: Annotated[
        int | None,
        typer.Argument(
            metavar="ROUND", min=1, help="Number of the round.  [default: the current or next one]", show_default=False
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Show how far a round is, with a bar and the time that its training still takes, until it is over."""
    from globalmanager.cli.client import connect, job_path
    from globalmanager.cli.round_display import RoundDisplay

    with connect(url, token) as client, RoundDisplay() as display:
        path = job_path(job)
        while round_id is None:
            current = client.get(path)["state"]["current"]
            round_id = None if current is None else current["id"]
            if round_id is None:
                display.waiting(job)
                time.sleep(_POLL_SECONDS)
        while True:
            found = client.get(f"{path}/rounds/{round_id}")
            display.show(found)
            if found["round"]["outcome"]:
                return
            time.sleep(_POLL_SECONDS)


def _section(title: str, rows: list[Any], columns: tuple[Column, ...]) -> None:
    if rows:
        typer.echo(f"\n{title}")
        print_table(rows, columns)
