"""Where an export goes: a new folder, or a new zip archive. It appears whole when the block ends, or not at all."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, Protocol

from sedna.common.atomic import fsync_dir, full_disk_as_error, temporary_beside
from sedna.common.errors import ConflictError, NotFoundError

__all__ = ["Place", "new_place"]


class Place(Protocol):
    """Takes files."""

    def copy(self, name: str, stream: BinaryIO | IO[bytes]) -> None:
        """Write a stream to its end under a relative name."""
        ...

    def add(self, name: str, data: bytes) -> None:
        """Write bytes."""
        ...


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def copy(self, name: str, stream: BinaryIO | IO[bytes]) -> None:
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            shutil.copyfileobj(stream, file)
            file.flush()
            os.fsync(file.fileno())

    def add(self, name: str, data: bytes) -> None:
        self.copy(name, io.BytesIO(data))


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def copy(self, name: str, stream: BinaryIO | IO[bytes]) -> None:
        with self._archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
            shutil.copyfileobj(stream, file)

    def add(self, name: str, data: bytes) -> None:
        self.copy(name, io.BytesIO(data))


@contextlib.contextmanager
def new_place(target: Path) -> Iterator[Place]:
    """A folder, or an archive where the name ends in ``.zip``.

    Raises:
        ConflictError: it exists.
        NotFoundError: the folder around it does not.
        StorageFullError: no space left.
    """
    target = target.absolute()
    if target.exists():
        raise ConflictError("this exists", where=str(target), hint="a new name; an export replaces nothing")
    if not target.parent.is_dir():
        raise NotFoundError("there is no such folder", where=str(target.parent))
    aside = temporary_beside(target)
    try:
        with full_disk_as_error(target):
            if target.suffix.lower() == ".zip":
                with aside.open("xb") as file:
                    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:  # pictures and weights are packed
                        yield _Zip(archive)
                    file.flush()
                    os.fsync(file.fileno())
            else:
                aside.mkdir()
                yield _Folder(aside)
            aside.rename(target)
            fsync_dir(target.parent)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside)
        else:
            aside.unlink(missing_ok=True)
