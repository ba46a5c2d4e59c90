"""``sedna job``."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from globalmanager.cli.options import Format, JobName, Modules, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, print_note, time_of
from sedna.common.errors import LinkUnavailableError, ModelError

if TYPE_CHECKING:
    from globalmanager.cli.client import Client

_POLL_SECONDS = 0.5

app = typer.Typer(help="Apply, list, get, pause, resume, delete and purge jobs.", no_args_is_help=True)


def served_by(job: Mapping[str, Any]) -> str:
    """How many of the edges that are heard of serve the model in service; empty where there are no edges, or an older
    service does not say."""
    serving = job.get("serving")
    return f"{serving['serving']} of {serving['live']}" if serving and serving["edges"] else ""


def _in_service(job: Mapping[str, Any]) -> str | None:
    if job["champion"] is None:
        return None
    served = served_by(job)
    return f"{job['champion']}, served by {served} edges" if served else str(job["champion"])


_LIST = (
    Column("NAMESPACE", field("namespace")),
    Column("NAME", field("name")),
    Column("PHASE", field("phase")),
    Column("ROUND", field("round")),
    Column("MODEL", field("champion")),
    Column("SERVED BY", served_by),
    Column("SAMPLES", field("counts.samples")),
    Column("LABELLED", field("counts.labelled")),
    Column("CLASSES", lambda job: ", ".join(job["class_names"])),
    Column("CREATED", time_of("created_at")),
)

_PAUSED = (
    Column("NAMESPACE", field("namespace")),
    Column("NAME", field("name")),
    Column("PHASE", field("phase")),
    Column("PAUSED", field("paused")),
)

_APPLIED = (
    Column("KIND", field("kind")),
    Column("NAMESPACE", field("namespace")),
    Column("NAME", field("name")),
    Column("ACTION", field("action")),
)

_SHOWN = (
    ("Job", lambda job: f"{job['namespace']}/{job['name']}"),
    ("Phase", field("phase")),
    ("Degraded", field("degraded")),
    ("Paused", field("paused")),
    ("Round", field("round")),
    ("Model in service", _in_service),
    ("Samples", field("counts.samples")),
    ("Labelled", field("counts.labelled")),
    ("  train / eval / hold-out", lambda job: " / ".join(str(job["counts"][p]) for p in ("train", "eval", "holdout"))),
    ("Classes", lambda job: ", ".join(f"{number} {name}" for number, name in enumerate(job["class_names"]))),
    ("Unused labelled samples", lambda job: f"{job['unused']['train_new']} train, {job['unused']['eval_new']} eval"),
    ("Failed rounds in a row", field("state.failures")),
    ("Last round", lambda job: _last_round(job["state"]["history"])),
    ("Edges", lambda job: ", ".join(_edge(edge) for edge in job["edges"])),
    ("Created", time_of("created_at")),
)


@app.command("apply")
def apply_files(
    files: Annotated[list[Path], typer.Option("-f", "--file", help="YAML or JSON; may be repeated.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, change nothing.")] = False,
    wait: Annotated[
        bool,
        typer.Option("--wait", help="Until the jobs have a model in service and the edges that are there serve it."),
    ] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0.0, help="Seconds that --wait waits at most.")] = 300.0,
    modules: Modules = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Create or update the jobs, datasets and models of the files: all of them or none."""
    from globalmanager.api.relative_paths import resolve_paths
    from globalmanager.cli.client import connect
    from globalmanager.cli.descriptions import read_files
    from sedna.common.plugin import load_modules

    # Before the description is read: it may name what the files register.
    load_modules(modules or ())
    described = [resource for path, read in read_files(files) for resource in resolve_paths(read, path.parent)]
    # exclude_unset: the service stores what was written, and its defaults stay free to change.
    documents = [resource.model_dump_json(by_alias=True, exclude_unset=True) for resource in described]
    with connect(url, token) as client:
        body = f"[{','.join(documents)}]".encode()
        applied = client.send("resources", body, "application/json", dryRun=dry_run)
        print_data(applied, output, _APPLIED)
        for entry in applied:
            for note in entry.get("notes", ()):  # an older service has none
                print_note(f"{entry['kind']} {entry['namespace']}/{entry['name']}", note)
        names = [f"{entry['namespace']}/{entry['name']}" for entry in applied if entry["kind"].endswith("Job")]
        if wait and not dry_run:
            wait_until_served(client, names, timeout)
        elif not dry_run and any(entry["action"] == "created" and entry["kind"].endswith("Job") for entry in applied):
            typer.echo("edges serve a new job in a moment; --wait waits for that", err=True)


def wait_until_served(client: Client, names: list[str], timeout: float) -> None:
    """Until each job has a model in service which every live edge serves.

    Raises:
        LinkUnavailableError: that takes longer than ``timeout`` seconds; the message says what is in the way.
        ModelError: every edge that does not serve it has refused it, which no waiting changes.
    """
    deadline = time.monotonic() + timeout
    for name in names:
        while (missing := _not_served(client, name)) is not None:
            if time.monotonic() >= deadline:
                raise LinkUnavailableError(f"not served after {timeout:g} s: {missing}", where=f"job {name}")
            time.sleep(_POLL_SECONDS)


def _not_served(client: Client, name: str) -> str | None:
    """What a job still waits for, None once it is served, which is said then."""
    found = client.get("status")
    job = next((job for job in found["jobs"] if f"{job['namespace']}/{job['name']}" == name), None)
    if job is None:
        return "it was deleted meanwhile"
    model = job["champion"]
    if model is None:
        return job["degraded"] or "the first model is not stored yet"
    # One that has not spoken of a new job yet is waited for: it hears of it with its next heartbeat.
    edges = [edge for edge in found["edges"] if edge["live"] and (edge["pod"] is None or name in edge["serves"])]
    late = [edge["name"] for edge in edges if edge["serves"].get(name) != model]
    refused = {line.partition(":")[0] for line in job["serving"]["refused"]}
    if late and refused.issuperset(late):
        hint = f"mend the cause there; then the edge's restart, or 'sedna model promote {name} {model}', tries again"
        raise ModelError(job["degraded"], where=f"job {name}", hint=hint)
    if late:
        return job["degraded"] or f"{', '.join(late)} of {len(edges)} edge(s) do not serve model {model} yet"
    where = f"{len(edges)} edge(s) serve it" if edges else "no edge is there"
    typer.echo(f"job {name}: model {model} is in service; {where}", err=True)
    return None


@app.command("list")
def list_jobs(
    namespace: Annotated[str | None, typer.Option("-n", "--namespace", help="Only of this namespace.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """List jobs."""
    from globalmanager.cli.client import connect

    with connect(url, token) as client:
        print_data(client.get("jobs", namespace=namespace), output, _LIST, empty="no jobs")


@app.command("get")
def get_job(job: JobName, output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Show one job: state, counts, model in service, edges."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        found = client.get(job_path(job))
    if output is not Format.TABLE:
        print_data(found, output, ())
        return
    for name, read in _SHOWN:
        value = read(found)
        if value is not None and value != "":
            typer.echo(f"{name + ':':<27} {value}")


@app.command("pause")
def pause_job(
    job: JobName,
    reason: Annotated[str, typer.Option("--reason", help="Why; shown with the job.", show_default=False)],
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Let no round begin; one that is under way goes on. A model can still be promoted or rolled back."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        print_data(client.post(f"{job_path(job)}:pause", {"reason": reason}), output, _PAUSED)


@app.command("resume")
def resume_job(job: JobName, output: Output = Format.TABLE, url: Url = None, token: Token = None) -> None:
    """Let rounds begin again; one that is due begins at once."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        print_data(client.post(f"{job_path(job)}:resume", {}), output, _PAUSED)


@app.command("delete")
def delete_job(
    job: JobName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Stop driving a job. Its samples, models and history stay."""
    from globalmanager.cli.client import connect, job_path

    path = job_path(job)
    if not yes:
        typer.confirm(f"Stop job {job}?", abort=True)
    with connect(url, token) as client:
        client.delete(path)
    typer.echo(f"job {job} is deleted; its samples and models are kept ('sedna job purge' deletes those)")


@app.command("purge")
def purge_job(
    job: JobName,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    token: Token = None,
) -> None:
    """Delete the samples, models and history of a deleted job for good; its name is free then."""
    from globalmanager.cli.client import connect, job_path

    path = job_path(job)
    if not yes:
        typer.confirm(f"Delete all samples, models and rounds of job {job} for good?", abort=True)
    deleted = 0
    with connect(url, token) as client:
        while True:
            found = client.post(f"{path}:purge", {})
            deleted += found["deleted"]
            if found["done"]:
                break
            typer.echo(f"{deleted} objects are deleted, going on", err=True)
    typer.echo(f"job {job} is gone, with {deleted} objects")


def _last_round(history: list[dict[str, object]]) -> str:
    if not history:
        return ""
    last = history[-1]
    return f"{last['id']} {last['kind']}: {last['outcome']}, {last['reason']}"


def _edge(edge: Mapping[str, Any]) -> str:
    """What an edge serves, and what it has refused; why, is under Degraded or in ``sedna edge list``."""
    said = edge["jobs"][0] if edge["jobs"] else {}
    served = f"model {said['model_version']}" if said.get("model_version") else "no model"
    refused = f", refused model {said['failed_version']}" if said.get("failed_version") else ""
    offline = time_of("offline_since")(edge) if edge.get("offline_since") else None
    return f"{edge['name']} ({served}{refused}{f', offline since {offline}' if offline else ''})"
