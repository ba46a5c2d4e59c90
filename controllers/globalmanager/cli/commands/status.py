"""``sedna status``."""

from __future__ import annotations

from typing import Any

import typer

from globalmanager.cli.commands.edges import state_of
from globalmanager.cli.options import Format, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_table, time_of


def _model(version: int | None) -> str:
    return "no model" if version is None else f"model {version}"


_JOBS = (
    Column("JOB", lambda job: f"{job['namespace']}/{job['name']}"),
    Column("PHASE", field("phase")),
    Column("ROUND", field("round")),
    Column("MODEL", field("champion")),
    Column("SAMPLES", field("counts.samples")),
    Column("LABELLED", field("counts.labelled")),
    Column("CLASSES", lambda job: ", ".join(job["class_names"])),
    Column("PAUSED", field("paused")),
)
_EDGES = (
    Column("EDGE", field("name")),
    Column("STATE", state_of),
    Column("LAST SEEN", time_of("last_seen_at")),
    Column("SERVES", lambda edge: ", ".join(f"{job} {_model(version)}" for job, version in edge["serves"].items())),
)


def status(output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Show service, jobs, edges, disks and store at a glance, what is wrong first."""
    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        found = client.get("status")
        address = client.url
    if output is not Format.TABLE:
        print_data(found, output, ())
        return
    for line in found["trouble"]:
        typer.echo(f"TROUBLE  {line}")
    state = "ready" if found["ready"] else "NOT READY"
    typer.echo(f"service  {address}, version {found['version']}, {state}")
    typer.echo(f"parts    {', '.join(f'{part} {_short(text)}' for part, text in found['checks'].items())}")
    for disk in found["disks"]:
        typer.echo(f"disk     {disk['folder']}: {_size(disk)} free")
    for rows, columns, empty in ((found["jobs"], _JOBS, "no jobs"), (found["edges"], _EDGES, "no edges")):
        typer.echo()
        print_table(rows, columns, empty=empty)


def _short(text: str) -> str:
    return "ok" if text == "ok" else "in trouble"


def _size(disk: dict[str, Any]) -> str:
    free = disk["free_bytes"]
    return "it is not known how much is" if free is None else f"{free / 2**30:.1f} GiB"
