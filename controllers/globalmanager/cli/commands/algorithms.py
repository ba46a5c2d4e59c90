"""``sedna new algorithm`` and ``sedna check-module``: a class of one's own, from the first line to the first job."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.options import parse_pairs
from sedna.common.errors import ConflictError, SpecError
from sedna.common.label_format import LabelFormat

new_app = typer.Typer(help="Write a file for an algorithm of one's own.", no_args_is_help=True)

_ALIAS = {"classification": "MyClassifier", "detection": "MyDetector"}


class Kind(StrEnum):
    """What a model answers."""

    CLASSIFICATION = "classification"
    DETECTION = "detection"


@new_app.command("algorithm")
def new_algorithm(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file that ends in .py.", show_default=False)],
    kind: Annotated[Kind, typer.Option("--kind", help="What it answers: a class, or boxes.", show_default=False)],
    name: Annotated[str, typer.Option("--name", help="Of the class.  [default: MyClassifier or MyDetector]")] = "",
) -> None:
    """Write a class that works as it is, and says in its comments what calls what."""
    import importlib.resources

    if file.suffix != ".py":
        raise SpecError("is no name of a Python file", where=str(file), hint="a name that ends in .py")
    if file.exists():
        raise ConflictError("the file is there already", where=str(file), hint="another name; nothing is overwritten")
    if name and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise SpecError(f"{name!r} is no name of a class", where="--name", hint="letters, digits and _")
    template = importlib.resources.files("sedna.algorithms.templates") / f"{kind.value}.py"
    text = template.read_text(encoding="utf-8").replace(_ALIAS[kind.value], name or _ALIAS[kind.value])
    file.write_text(text.replace("THIS_FILE", str(file)), encoding="utf-8")
    typer.echo(f"{file} is written; check it with: sedna check-module {file} --data FOLDER")


def check_module(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Your Python file.", show_default=False)],
    data: Annotated[
        Path,
        typer.Option("--data", help="Pictures: a folder a class, or with label files.", show_default=False),
    ],
    name: Annotated[str | None, typer.Option("--name", help="Of the class, where FILE registers several.")] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--param", metavar="KEY=VALUE", help="Of the class, as in a job; repeatable.")
    ] = None,
    class_names: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME", help="classNames of the job, in order; repeatable.")
    ] = None,
    label_format: Annotated[
        LabelFormat | None, typer.Option("--format", help="Of the labels.  [default: told by the files]")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=4, help="So many pictures at most.")] = 64,
    keep: Annotated[
        Path | None, typer.Option("--keep", help="An empty folder for model, logs and a job.", show_default=False)
    ] = None,
) -> None:
    """Train, save, load in a fresh process, evaluate, self-test and predict: what a round and an edge will do."""
    import tempfile

    from globalmanager.cli.module_check.findings import CheckError
    from globalmanager.cli.module_check.samples import find_samples
    from globalmanager.cli.module_check.steps import ModuleCheck

    def told(step: str, text: str) -> None:
        typer.echo(f"{step:<9} ok  {text}")

    samples = find_samples(data, label_format, class_names or (), limit)
    kind = "boxes" if samples.detection else "classes"
    count = len(samples.train) + len(samples.evaluation)
    told("data", f"{count} pictures with {kind}: {', '.join(samples.class_names)}")
    with tempfile.TemporaryDirectory(prefix="sedna-check-") as scratch:
        folder = keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConflictError("the folder is not empty", where=str(folder), hint="--keep names a new one")
        check = ModuleCheck(file, name, parse_pairs(parameters or []), samples, folder.resolve(), told)
        try:
            check.run()
        except CheckError as error:
            tail = error.log.strip().splitlines()[-15:]
            if tail:
                typer.echo("\n".join(["last lines of its log:", *tail]), err=True)
            raise
    for warning in check.warnings:
        typer.echo(f"warning: {warning}", err=True)
    typer.echo(f"{file}: {check.name} can be used: trainSpec.algorithm {{name: {check.name}, module: {file}}}")
    if keep is not None:
        typer.echo(
            f"a job to begin with, from the trained model and these pictures: sedna job apply -f {keep}/job.yaml"
        )
