"""``sedna model``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from globalmanager.cli.commands.jobs import served_by
from globalmanager.cli.commands.triggers import wait_for_round
from globalmanager.cli.options import Format, JobName, Limit, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, time_of

app = typer.Typer(help="List, show, promote and rollback models; print the module of one.", no_args_is_help=True)


def _module_of(row: dict[str, Any]) -> str:
    module = (row.get("manifest") or {}).get("module")
    return f"{module['name']} sha256 {module['sha256']}" if module else ""


_LIST = (
    Column("VERSION", field("version")),
    Column("IN SERVICE", field("in_service")),
    Column("ROUND", field("round")),
    Column("PARENT", field("parent")),
    Column("DATASET", field("dataset_version")),
    Column("RUNTIME", field("runtime")),
    Column("FORMAT", field("format")),
    Column("BYTES", field("size")),
    Column("CREATED", time_of("created_at")),
    Column("NOTE", field("note")),
)

_SHOWN = (*(column for column in _LIST if column.header != "IN SERVICE"), Column("MODULE", _module_of))

_REQUEST = (
    Column("REQUEST", field("id")),
    Column("VERSION", field("version")),
    Column("STATE", field("state")),
)

Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="Model version.", show_default=False)]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept with the round.", show_default=False)]
Wait = Annotated[bool, typer.Option("--wait", help="Until the edges serve it; exit code 1 if that fails.")]


@app.command("list")
def list_models(
    job: JobName,
    limit: Limit = 20,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """List model versions, the newest first."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = job_path(job)
        found_job = client.get(path)
        found = client.pages(f"{path}/models", limit=limit)
    served = served_by(found_job)
    text = f"yes, on {served} edges" if served else "yes"
    rows = [{**row, "in_service": text if row["version"] == found_job["champion"] else "no"} for row in found]
    print_data(rows, output, _LIST, empty="no models yet")


@app.command("show")
def show_model(
    job: JobName, version: Version, output: Output = Format.YAML, url: Url = None, token: Token = None
) -> None:
    """Show one model version with its files and metrics."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = f"{job_path(job)}/models/{version}"
        found = {**client.get(path), "manifest": client.get(f"{path}/manifest")}
    print_data(found, output, _SHOWN)


@app.command("module")
def print_module(
    job: JobName,
    version: Version,
    to: Annotated[Path | None, typer.Option("-o", "--to", metavar="FILE", help="Write it there.")] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Print the Python file that a model was made with, as it was then: what an edge needs as --module."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        source = client.content(f"{job_path(job)}/models/{version}/module")
    if to is None:
        sys.stdout.buffer.write(source)
        sys.stdout.buffer.flush()
        return
    to.write_bytes(source)
    typer.echo(f"{to} is the file that model {version} of {job} was made with", err=True)


@app.command("promote")
def promote(
    job: JobName, version: Version, reason: Reason, wait: Wait = False,
    output: Output = Format.TABLE, url: Url = None, token: Token = None,
) -> None:  # fmt: skip
    """Put a model version into service, without the gate."""
    from globalmanager.cli.client import job_path

    _ask(f"{job_path(job)}/models/{version}:promote", job, reason, wait, output, url, token)


@app.command("rollback")
def rollback(
    job: JobName, reason: Reason, wait: Wait = False,
    output: Output = Format.TABLE, url: Url = None, token: Token = None,
) -> None:  # fmt: skip
    """Put the model back into service that was there before the present one."""
    from globalmanager.cli.client import job_path

    _ask(f"{job_path(job)}/models:rollback", job, reason, wait, output, url, token)


def _ask(path: str, job: str, reason: str, wait: bool, output: Format, url: str | None, token: str | None) -> None:
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        found = client.post(path, {"reason": reason})
        if wait:
            wait_for_round(client, job_path(job), found, output)
        else:
            print_data(found, output, _REQUEST)
