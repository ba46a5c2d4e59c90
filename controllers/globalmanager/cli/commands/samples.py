"""``sedna sample``."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from globalmanager.cli.class_names import class_number, label_by_name, predicted_by_name
from globalmanager.cli.options import Format, JobName, Limit, Output, Token, Url
from globalmanager.cli.render import Column, field, print_data, short_id, time_of
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.label_format import LabelFormat

if TYPE_CHECKING:
    from globalmanager.cli.client import Client

app = typer.Typer(
    help="List, queue, show, get, label, exclude, include, delete and repair samples, and import labels.",
    no_args_is_help=True,
)

_LIST = (
    Column("SAMPLE", short_id("record.sample_id")),
    Column("PICKED", field("record.picked")),
    Column("EDGE", field("record.edge")),
    Column("MODEL", field("record.model_version")),
    Column("SCORE", field("record.verdict.score")),
    Column("LABEL", label_by_name(())),
    Column("PART", field("part")),
    Column("ROUND", field("round_used")),
    Column("RECEIVED", time_of("received_at")),
    Column("STATE", lambda row: "excluded" if row["excluded"] else "damaged" if row["problem"] else None),
)

_QUEUE = (
    Column("SAMPLE", short_id("sample_id")),
    Column("PREDICTED", predicted_by_name(())),
    Column("SCORE", field("score")),
    Column("EDGE", field("edge")),
    Column("RECEIVED", time_of("received_at")),
)

SampleName = Annotated[
    str, typer.Argument(metavar="SAMPLE", help="Id, or its first characters (8 at least).", show_default=False)
]
Holdout = Annotated[
    bool,
    typer.Option("--holdout", help="Labels of the frozen hold-out may change; evaluations that used them are marked."),
]
_SHORTEST_PREFIX = 8
_ID_LENGTH = 64
_TOLD = 100
"""Lines of one kind after an import: a wrong file of a million lines must not bury its summary."""


class PickedFilter(StrEnum):
    """Why a sample was kept."""

    HARD = "hard"
    AUDIT = "audit"
    IMPORT = "import"


class PartFilter(StrEnum):
    """Which share a labelled sample went to."""

    TRAIN = "train"
    EVAL = "eval"
    HOLDOUT = "holdout"


class QueueOrder(StrEnum):
    """What should be labelled first."""

    OLDEST = "oldest"
    LEAST_CONFIDENCE = "least_confidence"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DISAGREEMENT = "disagreement"
    NEW_CLASSES = "new_classes"
    K_CENTER = "k_center"


@app.command("list")
def list_samples(
    job: JobName,
    picked: Annotated[PickedFilter | None, typer.Option("--picked", help="Why it was kept.")] = None,
    labelled: Annotated[bool | None, typer.Option("--labelled/--unlabelled", help="With a label or without.")] = None,
    part: Annotated[PartFilter | None, typer.Option("--part", help="Which share it went to.")] = None,
    edge: Annotated[str | None, typer.Option("--edge", help="From this edge.")] = None,
    excluded: Annotated[bool, typer.Option("--excluded", help="Those that were taken out instead.")] = False,
    problem: Annotated[
        bool | None, typer.Option("--damaged/--whole", help="Whether the store has lost or damaged its picture.")
    ] = None,
    limit: Limit = 50,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """List samples, the newest first."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = f"{job_path(job)}/samples"
        # One more than is shown says whether there are others.
        names = client.get(job_path(job))["class_names"]
        found = client.pages(
            path, limit=limit + 1, picked=picked, labelled=labelled, part=part, edge=edge,
            excluded=excluded, problem=problem,
        )  # fmt: skip
    print_data(found[:limit], output, _with(names), empty="no such samples")
    frozen = sum(row["part"] == "holdout" for row in found[:limit])
    if frozen and part is None and picked is None and output is Format.TABLE:
        text = (
            f"{frozen} of these are the frozen hold-out, as it was imported; --picked hard shows what edges have sent"
        )
        typer.echo(text, err=True)
    if len(found) > limit:
        typer.echo(f"these are the newest {limit}; --limit shows more", err=True)


@app.command("queue")
def queue_samples(
    job: JobName,
    order: Annotated[QueueOrder, typer.Option("--by", help="What comes first.")] = QueueOrder.ENTROPY,
    balanced: Annotated[bool, typer.Option("--balanced", help="Equal shares of the predicted classes.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many.")] = 20,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """List samples to label, the one worth most first."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        found = client.get(f"{job_path(job)}/labels:queue", order=order, balanced=balanced, limit=limit)
        names = client.get(job_path(job))["class_names"]
    print_data(found, output, _with(names, _QUEUE), empty="nothing is waiting for a label")


@app.command("show")
def show_sample(
    job: JobName, sample: SampleName, output: Output = Format.YAML, url: Url = None, token: Token = None
) -> None:
    """Show the whole story of a sample: verdict, prediction, labels, dataset versions, models."""
    from globalmanager.cli.client import connect, job_path

    with connect(url, token) as client:
        path = job_path(job)
        story = client.get(f"{path}/samples/{sample_id_of(client, path, sample)}")
        names = client.get(path)["class_names"]
    print_data(story, output, tuple(Column(column.header, _inside(column)) for column in _with(names)))


@app.command("label")
def label_sample(
    job: JobName,
    sample: SampleName,
    box: Annotated[
        list[str] | None,
        typer.Option("--box", metavar="X1,Y1,X2,Y2,CLASS", help="Pixels, and a class name or number; repeatable."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--class", metavar="CLASS", help="Class of the whole image: its name or number.")
    ] = None,
    empty: Annotated[bool, typer.Option("--empty", help="There is nothing in the image.")] = False,
    holdout: Holdout = False,
    author: Annotated[str | None, typer.Option("--author", help="Who says so; default: the token's name.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Say what a sample shows."""
    from globalmanager.cli.client import connect, job_path

    # An empty label is a statement, so that leaving all options out must not make one.
    if sum((bool(box), label is not None, empty)) != 1:
        raise SpecError("give exactly one kind of label", where="label", hint="--box, --class or --empty")
    with connect(url, token) as client:
        path = job_path(job)
        names = client.get(path)["class_names"]
        whole = None if label is None else class_number(label, names, "--class")
        annotation: dict[str, object] = {"boxes": [_box(text, names) for text in box or []], "label": whole}
        body: dict[str, object] = {"annotation": annotation, "holdout": holdout}
        if author:
            body["author"] = author
        row = client.put(f"{path}/samples/{sample_id_of(client, path, sample)}/label", body)
    print_data(row, output, _with(names))


@app.command("import")
def import_labels(
    job: JobName,
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|FOLDER|-", help="Labels: a file, an archive, a folder, or standard input.", show_default=False
        ),
    ],
    label_format: Annotated[LabelFormat, typer.Option("--format", help="Format of the labels.", show_default=False)],
    clip: Annotated[
        bool, typer.Option("--clip", help="Cut boxes at the image's edge, and take what is usable.")
    ] = False,
    holdout: Holdout = False,
    author: Annotated[str | None, typer.Option("--author", help="Who says so; default: the token's name.")] = None,
    output: Output = Format.TABLE,
    url: Url = None,
    token: Token = None,
) -> None:
    """Import labels; images are matched by file name or sample id, wherever that stands in the name.

    Without --clip anything wrong refuses the whole file. VOC and YOLO have a file per image: give the folder of the
    label files, or a zip or tar of them. Pictures are not needed, and not sent.
    """
    from globalmanager.cli.client import connect, job_path
    from globalmanager.cli.label_files import read_labels_to_send

    data = read_labels_to_send(source, label_format)
    with connect(url, token) as client:
        report = client.send(
            f"{job_path(job)}/labels:import", data, "application/octet-stream",
            format=label_format, mode="clip" if clip else "strict", author=author, holdout=holdout,
            filename=None if str(source) == "-" else source.name or None,
        )  # fmt: skip
    print_data(report, output, _IMPORTED)
    if output is Format.TABLE:
        _tell(report)


_IMPORTED = (
    Column("LABELLED", field("labelled")),
    Column("UNCHANGED", field("unchanged")),
    Column("PICTURES", lambda found: _tally(found["pictures"])),
    Column("ANNOTATIONS", lambda found: _tally(found["annotations"])),
    Column("UNKNOWN IMAGES", lambda found: len(found["unknown"])),
)


def _tally(counts: dict[str, int]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in ("taken", "skipped", "refused"))


def _tell(report: dict[str, Any]) -> None:
    """What the table has no room for, on standard error."""
    if report["class_names"]:
        numbered = ", ".join(f"{number} {name}" for number, name in enumerate(report["class_names"]))
        typer.echo(f"classes: {numbered}", err=True)
    if report["turned"]:
        text = f"the boxes of {report['turned']} entries were turned with their pictures (EXIF orientation)"
        typer.echo(text, err=True)
    if report["holdout_changed"]:
        text = f"{report['holdout_changed']} label(s) of the frozen hold-out changed: earlier evaluations are marked"
        typer.echo(f"warning: {text}", err=True)
    lines = [*(f"no sample for {name or 'an image without a name'}" for name in report["unknown"]), *report["problems"]]
    for line in lines[:_TOLD]:
        typer.echo(f"warning: {line}", err=True)
    for line in report["skipped"][:_TOLD]:
        typer.echo(f"skipped: {line}", err=True)
    untold = max(len(lines) - _TOLD, 0) + max(len(report["skipped"]) - _TOLD, 0)
    if untold:
        typer.echo(f"and {untold} more; -o json shows all", err=True)


def _with(names: Sequence[str], columns: Sequence[Column] = _LIST) -> list[Column]:
    """The columns of a list with the names of the job's classes."""
    readers = {"LABEL": label_by_name, "PREDICTED": predicted_by_name}
    return [
        Column(column.header, readers[column.header](names)) if column.header in readers else column
        for column in columns
    ]


def _inside(column: Column) -> Any:
    return lambda story: column.read(story["sample"])


def sample_id_of(client: Client, path: str, text: str, *, excluded: bool = False) -> str:
    """The whole id of a sample, from its first characters."""
    wanted = text.lower()
    if len(wanted) == _ID_LENGTH:
        return wanted
    if len(wanted) < _SHORTEST_PREFIX or not set(wanted) <= set("0123456789abcdef"):
        raise SpecError(f"{text!r} is not a sample id", where="SAMPLE", hint="8 to 64 characters of 0-9 and a-f")
    # The service looks ids up whole; a prefix is a person's abbreviation, and rare enough for a walk over all.
    rows = client.pages(f"{path}/samples", limit=None, excluded=excluded)
    ids = [row["record"]["sample_id"] for row in rows]
    found = [name for name in ids if name.startswith(wanted)]
    if not found:
        hint = "'sedna sample list' shows them, with --excluded those that were taken out"
        raise NotFoundError(f"no sample starts with {text!r}", where=path, hint=hint)
    if len(found) > 1:
        raise SpecError(f"{len(found)} samples start with {text!r}", where="SAMPLE", hint="give more characters")
    return str(found[0])


def _box(text: str, names: list[str]) -> dict[str, object]:
    parts = text.split(",")
    try:
        x1, y1, x2, y2 = (float(part) for part in parts[:4])
        (name,) = parts[4:]
    except ValueError as error:
        raise SpecError(f"{text!r} is not a box", where="--box", hint="X1,Y1,X2,Y2,CLASS") from error
    return {"x1": x1, "y1": y1, "x2": x2, "y2": y2, "label": class_number(name, names, "--box")}
