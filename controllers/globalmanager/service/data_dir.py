"""The data folder: one service at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sedna.common.errors import ConflictError, SpecError

__all__ = ["UNFINISHED_RESTORE", "DataDirLock", "require_restored"]

_LOCK_FILE = "service.lock"

UNFINISHED_RESTORE = "restore.unfinished"
"""File of a folder into which a backup is being put back."""


def require_restored(data_dir: Path) -> None:
    """Raise `ConflictError` if a restore into this folder did not end: a service would begin with an empty database."""
    path = data_dir / UNFINISHED_RESTORE
    if path.exists():
        raise ConflictError(
            "a restore into this folder did not end", where=str(path), hint="run the same 'sedna restore' again"
        )


class DataDirLock:
    """An exclusive lock that the kernel drops when the process ends, however it ends.

    Raises:
        ConflictError: another process has the folder.
        SpecError: the folder cannot be made or written.
    """

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / _LOCK_FILE
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise SpecError(
                f"the data folder cannot be used: {error.strerror}", where=str(data_dir), hint="a folder of your own"
            ) from error
        self._file = os.fdopen(descriptor, "r+", encoding="utf-8")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = self._file.read().strip() or "another process"
            self._file.close()
            raise ConflictError(
                f"a service runs in this folder: {holder}", where=str(data_dir), hint="stop it, or use another --data"
            ) from error
        self._file.truncate()
        self._file.write(f"process {os.getpid()}\n")
        self._file.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give the folder back."""
        self._file.close()
