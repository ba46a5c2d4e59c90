"""Errors as people read them: one line or one line a mistake, on standard error, and the exit code."""

from __future__ import annotations

import typer

from sedna.common.errors import SednaError, SpecError

__all__ = ["ManyMistakesError", "print_error"]


class ManyMistakesError(SpecError):
    """Several mistakes at once, one line each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        super().__init__(f"{len(lines)} mistakes")


def print_error(error: SednaError) -> None:
    """Say what went wrong, and what would be right."""
    if isinstance(error, ManyMistakesError):
        for line in error.lines:
            typer.echo(f"error: {line}", err=True)
        return
    place = f"{error.where}: " if error.where else ""
    typer.echo(f"error: {place}{error.message}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)
