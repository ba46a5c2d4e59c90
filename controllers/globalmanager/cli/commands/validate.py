"""``sedna validate``: descriptions, checked without a service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from globalmanager.cli.errors import ManyMistakesError
from globalmanager.cli.options import Modules
from globalmanager.cli.render import print_note

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON.", show_default=False)]


def validate(files: Files, modules: Modules = None) -> None:
    """Check job, Dataset and Model descriptions: every mistake with its line, key, value, and what would be right."""
    from globalmanager.api.manifests import ManifestError, read_manifests
    from globalmanager.api.template_notes import notes_on
    from sedna.common.plugin import load_modules

    load_modules(modules or ())
    mistakes: list[str] = []
    for path in files:
        try:
            resources = read_manifests(path, try_modules=True)
        except ManifestError as error:
            mistakes += [str(diagnostic) for diagnostic in error.diagnostics]
            # The other files are read all the same: one run shows every mistake.
            continue
        for resource in resources:
            typer.echo(f"{path}: {resource.kind} {resource.key} is valid")
            for note in notes_on(resource):
                print_note(f"{path}: {resource.kind} {resource.key}", note)
    if mistakes:
        raise ManyMistakesError(tuple(mistakes))
