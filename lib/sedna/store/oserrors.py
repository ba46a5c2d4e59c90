"""Operating system errors, as errors of the exception tree."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator

from sedna.common.errors import (
    AuthError,
    ConflictError,
    NotFoundError,
    SednaError,
    SpecError,
    StorageFullError,
    StoreUnavailableError,
)

__all__ = ["os_errors"]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_MISSING = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
_NAME = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ELOOP})


def _translated(error: OSError, where: str, *, writing: bool) -> SednaError:
    said = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return StorageFullError(f"cannot write: {said}", where=where, hint="free some space", retry_after=30.0)
    if error.errno in _FORBIDDEN:
        hint = "give this user the right to it, or name a folder that it may use"
        return AuthError(said, where=where, hint=hint, forbidden=True)
    if error.errno in _MISSING and not writing:
        return NotFoundError("there is no such object or file", where=where)
    if error.errno in (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        return ConflictError(
            "one key is the folder of another", where=where, hint="a name is either an object or a folder"
        )
    if error.errno in _NAME:
        return SpecError(f"this file system does not take the name: {said}", where=where, hint="use a shorter name")
    return StoreUnavailableError(said, where=where, hint="the disk or mount does not answer as it should")


@contextlib.contextmanager
def os_errors(where: str, *, writing: bool) -> Iterator[None]:
    """Raise what an `OSError` in the block means for the object or file named ``where``."""
    try:
        yield
    except OSError as error:
        raise _translated(error, where, writing=writing) from error
