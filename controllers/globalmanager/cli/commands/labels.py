"""``sedna labels``."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.options import JobName, Token, Url
from sedna.common.errors import SpecError
from sedna.common.label_format import ExportFormat, PictureState

app = typer.Typer(help="Export labels for other tools.", no_args_is_help=True)

_WHERE = {
    "state": tuple(PictureState),
    "part": ("train", "eval", "holdout"),
    "picked": ("hard", "audit", "import"),
    "edge": (),
    "class": (),
}
"""What ``--where`` knows, and its values; () = any text."""


@app.callback()
def labels() -> None:
    """Options of the group."""


@app.command("export")
def export_labels(
    job: JobName,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.", show_default=False)],
    label_format: Annotated[ExportFormat, typer.Option("--format", help="Format of the labels.", show_default=False)],
    pictures: Annotated[bool, typer.Option("--pictures", help="With the pictures, as a zip.")] = False,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            metavar="KEY=VALUE",
            help="Of these alone: state=labelled,negative,unlabelled,excluded; part=train|eval|holdout; class=NAME; "
            "edge=NAME; picked=hard|audit|import. May be given several times.",
        ),
    ] = None,
    image_url: Annotated[
        str, typer.Option("--image-url", metavar="PREFIX", help="Put before pictures' names in Label Studio's tasks.")
    ] = "",
    url: Url = None,
    token: Token = None,
) -> None:
    """Write labels for another tool: COCO, VOC, YOLO, CVAT for images, Label Studio, CSV or JSON lines.

    VOC and YOLO have a file per picture, so they are a zip. Pictures that show nothing, that nobody has labelled, and
    that were excluded are told apart in each format; 'sedna sample import' reads what is written.
    """
    from globalmanager.cli.client import connect, job_path
    from sedna.common.atomic import full_disk_as_error

    wanted = _wanted(where or ())
    with connect(url, token) as client, full_disk_as_error(file):
        headers = client.download(
            f"{job_path(job)}/labels:export", file,
            format=label_format, pictures=pictures, image_url=image_url or None, **wanted,
        )  # fmt: skip
    typer.echo(f"{file}: {headers.get('X-Pictures', '')}; {file.stat().st_size} bytes", err=True)
    for name in _missing(file) if pictures else ():
        typer.echo(f"warning: the store has lost {name}; 'sedna sample repair' takes it again", err=True)


def _wanted(given: Sequence[str]) -> dict[str, list[str] | str]:
    found: dict[str, list[str] | str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or key not in _WHERE or not value:
            raise SpecError(f"{text!r} is no condition", where="--where", hint=f"KEY=VALUE with {', '.join(_WHERE)}")
        if key in found:
            raise SpecError(f"{key} is given twice", where="--where", hint="state=labelled,negative for several")
        values = value.split(",") if key == "state" else [value]
        allowed = _WHERE[key]
        wrong = [one for one in values if allowed and one not in allowed]
        if wrong:
            raise SpecError(f"{wrong[0]!r} is no {key}", where="--where", hint=f"one of {', '.join(allowed)}")
        found[key] = values if key == "state" else value
    return found


def _missing(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as archive:
        if "MISSING.txt" not in archive.namelist():
            return []
        return archive.read("MISSING.txt").decode().splitlines()
