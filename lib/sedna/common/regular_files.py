"""Reading files that other people name: only what is a file, and never further than allowed."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from sedna.common.errors import AuthError, DataError, NotFoundError, TooLargeError

__all__ = ["kind_of", "read_regular", "require_kind", "unreadable"]

_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


def kind_of(mode: int) -> str:
    """What a path is that is no regular file, for messages."""
    return next((name for holds, name in _KINDS if holds(mode)), "no regular file")


def read_regular(path: Path, max_bytes: int | None = None) -> bytes:
    """The bytes of a regular file.

    Args:
        max_bytes: a larger one is not read to its end; None = no limit.

    Raises:
        NotFoundError: there is no such file.
        AuthError: it may not be read.
        TooLargeError: it has more than ``max_bytes``.
        DataError: it is a pipe, device, socket or folder, its name is none, or reading fails.
    """
    try:
        # Without O_NONBLOCK the opening of a pipe that nobody writes to would never end; files do not know it.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            _require_file(os.fstat(descriptor).st_mode, path)
            data = file.read() if max_bytes is None else file.read(max_bytes + 1)
    except (OSError, ValueError) as error:
        raise unreadable(error, path) from error
    if max_bytes is not None and len(data) > max_bytes:
        raise TooLargeError("it is too large", where=str(path), hint=f"at most {max_bytes} bytes")
    return data


def unreadable(error: OSError | ValueError, path: Path) -> NotFoundError | AuthError | DataError:
    """What the system says about a path, as an error that names it."""
    if isinstance(error, ValueError):  # NUL, or half a character
        return DataError("no file can have this name", where=repr(str(path)), hint="a name without NUL, in UTF-8")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFoundError("there is no such file", where=str(path))
    if isinstance(error, PermissionError):
        return AuthError("may not be read", where=str(path), hint="let the program's user read it", forbidden=True)
    return DataError(f"cannot be read: {error.strerror}", where=str(path))


def require_kind(path: Path) -> None:
    """Raise `DataError` if a path is there and neither a regular file nor a folder."""
    mode = path.stat().st_mode
    if not stat.S_ISDIR(mode):
        _require_file(mode, path)


def _require_file(mode: int, path: Path) -> None:
    if not stat.S_ISREG(mode):
        raise DataError(f"it is {kind_of(mode)}", where=str(path), hint="a regular file")
