"""``sedna validate``: descriptions, checked without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.errors import ManyMistakesError

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON.", show_default=False)]


def validate(files: Files) -> None:
    """Check job, Dataset and Model descriptions: every mistake with its line, key, value, and what would be right."""
    from globalmanager.api.manifests import ManifestError, read_manifests

    mistakes: list[str] = []
    for path in files:
        try:
            resources = read_manifests(path)
        except ManifestError as error:
            mistakes += [str(finding) for finding in error.findings]
            continue
        for resource in resources:
            typer.echo(f"{path}: {resource.kind} {resource.key} is valid")
    if mistakes:
        raise ManyMistakesError(tuple(mistakes))
