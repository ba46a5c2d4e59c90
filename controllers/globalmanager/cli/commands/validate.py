"""``sedna validate``: descriptions, checked without a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from globalmanager.cli.options import Modules
from globalmanager.cli.render import print_note

if TYPE_CHECKING:
    from sedna.loop.spec import Resource

Files = Annotated[list[Path], typer.Argument(metavar="FILE...", help="YAML or JSON.", show_default=False)]


def validate(files: Files, modules: Modules = None) -> None:
    """Check job, Dataset and Model descriptions: every mistake with its line, key, value, and what would be right."""
    from globalmanager.api.template_notes import notes_on
    from globalmanager.cli.descriptions import read_files
    from sedna.common.plugin import load_modules

    load_modules(modules or ())

    def tell(path: Path, resources: tuple[Resource, ...]) -> None:
        for resource in resources:
            typer.echo(f"{path}: {resource.kind} {resource.key} is valid")
            for note in notes_on(resource):
                print_note(f"{path}: {resource.kind} {resource.key}", note)

    read_files(files, try_modules=True, tell=tell)
