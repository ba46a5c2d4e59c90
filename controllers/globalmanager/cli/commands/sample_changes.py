"""``sedna sample exclude|delete|include|repair``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from globalmanager.cli.commands.samples import SampleName, sample_id_of
from globalmanager.cli.options import Format, JobName, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, short_id
from sedna.common.errors import DataError, NotFoundError


def _reason(story: Mapping[str, Any]) -> str | None:
    """Why a sample is out now."""
    return next((one["reason"] for one in reversed(story["exclusions"]) if not one["ended"]), None)


_SHOWN = (
    Column("SAMPLE", short_id("sample.record.sample_id")),
    Column("PART", field("sample.part")),
    Column("EXCLUDED", field("sample.excluded")),
    Column("REASON", _reason),
    Column("DATASET VERSIONS", lambda story: ", ".join(map(str, story["dataset_versions"]))),
)

_REPAIRED = (
    Column("SAMPLE", short_id("sample_id")),
    Column("REPAIRED", field("repaired")),
)

Why = Annotated[
    str, typer.Option("--reason", help="Why; kept with the sample and its dataset versions.", show_default=False)
]
Author = Annotated[str | None, typer.Option("--author", help="Who says so; default: the token's name.")]


def exclude_sample(
    job: JobName,
    sample: SampleName,
    reason: Why,
    author: Author = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Take a sample out: nothing new learns from it or is judged by it. 'include' takes it in again."""
    _remove(job, sample, {"reason": reason, "author": author, "delete": False}, output, url, token)


def delete_sample(
    job: JobName,
    sample: SampleName,
    reason: Why,
    author: Author = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Take a sample out and delete its picture from the store, for good.

    That it was there, its labels and the reason stay.
    """
    _remove(job, sample, {"reason": reason, "author": author, "delete": True}, output, url, token)


def include_sample(
    job: JobName, sample: SampleName, output: Output = Format.TABLE, url: Url = None, token: Token = None
) -> None:
    """Take an excluded sample in again; one that was deleted has to be uploaded too, see 'repair'."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = f"{job_path(job)}/samples/{sample_id_of(client, job_path(job), sample, excluded=True)}"
        client.delete(f"{path}/exclusion")
        story = client.get(path)
    print_data(story, output, _SHOWN)


def repair_samples(
    job: JobName,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Pictures, as they were.", show_default=False)],
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Upload pictures again that the store has lost or damaged; a file is known by its content, not by its name."""
    from globalmanager.cli.client import connect, job_path

    answers = []
    with connect(url, token) as client:
        for file in files:
            image = _bytes(file)
            path = f"{job_path(job)}/samples/{hashlib.sha256(image).hexdigest()}"
            try:
                record = client.get(path)["sample"]["record"]
            except NotFoundError as error:
                hint = "a sample is known by its bytes: the file must be the one that was sampled, unchanged"
                raise DataError("the job has no sample of these bytes", where=str(file), hint=hint) from error
            answers.append(client.upload(path, json.dumps(record), image))
    print_data(answers, output, _REPAIRED)


def _remove(job: str, sample: str, body: dict[str, object], output: Format, url: str | None, token: str | None) -> None:
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = job_path(job)
        story = client.put(f"{path}/samples/{sample_id_of(client, path, sample)}/exclusion", body)
    print_data(story, output, _SHOWN)
    if (earlier := _reason(story)) != body["reason"]:
        typer.echo(f"it was taken out before, for another reason, which stays: {earlier}", err=True)
    if output is Format.TABLE and story["dataset_versions"]:
        held = ", ".join(map(str, story["dataset_versions"]))
        typer.echo(f"dataset version(s) {held} hold it and say so; models that learnt from it stay", err=True)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise NotFoundError("no such file", where=str(path)) from error
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error
