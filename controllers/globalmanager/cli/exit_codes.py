"""What the exit code says, so that scripts need not read messages."""

from __future__ import annotations

from enum import IntEnum

from sedna.common.errors import NotFoundError, PermanentError, SednaError, TemporaryError, UserError

__all__ = ["ExitCode", "exit_code_of"]


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
    if isinstance(error, NotFoundError):
        return ExitCode.NOT_FOUND
    if isinstance(error, UserError):
        return ExitCode.USAGE
    if isinstance(error, TemporaryError):
        return ExitCode.TEMPORARY
    return ExitCode.PERMANENT if isinstance(error, PermanentError) else ExitCode.FAILURE
