"""``sedna sample get``."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.commands.samples import SampleName, sample_id_of
from globalmanager.cli.options import JobName, Token, Url
from sedna.common.errors import ConflictError, DataError


def get_sample(
    job: JobName,
    sample: SampleName,
    file: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to; - = standard output.  [default: ID.EXTENSION]",
            show_default=False,
        ),
    ] = None,
    url: Url = None,
    token: Token = None,
) -> None:
    """Write the picture of a sample into a file, byte for byte as it was sent; one that is there already stays."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = job_path(job)
        name = sample_id_of(client, path, sample)
        record = client.get(f"{path}/samples/{name}")["sample"]["record"]
        image = client.content(f"{path}/samples/{name}/image")
    if hashlib.sha256(image).hexdigest() != name:
        hint = "'sedna sample repair' takes the picture again"
        raise DataError("the store has other bytes than were sent", where=name, hint=hint)
    if str(file) == "-":
        sys.stdout.buffer.write(image)
        return
    target = file or Path(f"{name}.{record['extension']}")
    try:
        with target.open("xb") as stream:
            stream.write(image)
    except FileExistsError as error:
        raise ConflictError("is there already", where=str(target), hint="another name with -o") from error
    except OSError as error:
        raise DataError(f"cannot be written: {error.strerror}", where=str(target)) from error
    typer.echo(f"{target}: {len(image)} bytes", err=True)
