"""Errors at the end of a command: lines on standard error for people, an exit code for scripts."""

from __future__ import annotations

from enum import IntEnum

import typer

from sedna.common.errors import NotFoundError, PermanentError, SednaError, SpecError, TemporaryError, UserError

__all__ = ["ExitCode", "ManyMistakesError", "exit_code_of", "print_error"]


class ManyMistakesError(SpecError):
    """Several mistakes at once, one line each."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        super().__init__(f"{len(lines)} mistakes")


def print_error(error: SednaError) -> None:
    """Print what went wrong, and what would be right."""
    if isinstance(error, ManyMistakesError):
        for line in error.lines:
            typer.echo(f"error: {line}", err=True)
        return
    place = f"{error.where}: " if error.where else ""
    typer.echo(f"error: {place}{error.message}", err=True)
    if error.hint:
        typer.echo(f"hint: {error.hint}", err=True)


class ExitCode(IntEnum):
    """75 is ``EX_TEMPFAIL`` of sysexits.h: worth another try."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    PERMANENT = 3
    NOT_FOUND = 4
    TEMPORARY = 75


def exit_code_of(error: SednaError) -> ExitCode:
    """The exit code of an error."""
    # Before its base class: scripts tell "not there" from "wrong".
    if isinstance(error, NotFoundError):
        return ExitCode.NOT_FOUND
    if isinstance(error, UserError):
        return ExitCode.USAGE
    if isinstance(error, TemporaryError):
        return ExitCode.TEMPORARY
    return ExitCode.PERMANENT if isinstance(error, PermanentError) else ExitCode.FAILURE
