"""The files of a label set, wherever they lie: one file, a folder, or an archive that was sent."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sedna.common.archive import ArchiveLimits, unpack
from sedna.common.errors import DataError, NotFoundError, TooLargeError, UserError

__all__ = ["FolderFiles", "LabelFiles", "OneFile", "is_hidden", "opened", "walk"]

_LIMITS = ArchiveLimits(max_bytes=1 << 30, max_entries=200_000)
"""Labels of some hundred thousand images: an archive comes in one request, and is unpacked on the service's disk."""

_HIDDEN = frozenset(
    {"__macosx", "__pycache__", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found"}
)
"""Folders that systems, storages and editors make beside people's files, in lower case; the others begin with a dot."""

MAX_FILES = 1_000_000
"""Largest number of files in a folder. A folder with more is a mistake rather than a label set."""


class LabelFiles(Protocol):
    """Files by their names, relative to the folder that they share, with "/" between the parts."""

    def names(self) -> Sequence[str]:
        """The names of all files, also of those that hold no labels, sorted."""
        ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """The bytes of one file. Raises `NotFoundError`, `TooLargeError` or `DataError`."""
        ...

    def at(self, name: str) -> str:
        """What messages call a file."""
        ...


@dataclass(frozen=True)
class OneFile:
    """A single file whose bytes are there already."""

    name: str
    data: bytes
    where: str

    def names(self) -> Sequence[str]:
        """Its name."""
        return (self.name,)

    def read(self, name: str, max_bytes: int) -> bytes:
        """Its bytes."""
        if name != self.name:
            raise NotFoundError("there is no such file", where=name)
        if len(self.data) > max_bytes:
            raise TooLargeError("it is too large", where=self.where, hint=f"at most {max_bytes} bytes")
        return self.data

    def at(self, name: str) -> str:  # noqa: ARG002  there is only one
        """What messages call it."""
        return self.where


class FolderFiles:
    """The regular files below a folder of this machine."""

    def __init__(self, folder: Path, where: str = "") -> None:
        self._folder = folder
        self._where = where or str(folder)

    def names(self) -> Sequence[str]:
        """Names of the files, without hidden ones."""
        return [name for name, _ in walk(self._folder)]

    def read(self, name: str, max_bytes: int) -> bytes:
        """The bytes of a file."""
        try:
            with (self._folder / name).open("rb") as file:
                # One byte more than allowed tells a file that is too large, without reading it to the end.
                data = file.read(max_bytes + 1)
        except FileNotFoundError as error:
            raise NotFoundError("there is no such file", where=self.at(name)) from error
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=self.at(name)) from error
        if len(data) > max_bytes:
            raise TooLargeError("it is too large", where=self.at(name), hint=f"at most {max_bytes} bytes")
        return data

    def at(self, name: str) -> str:
        """What messages call a file."""
        return f"{self._where}: {name}" if name else self._where


def walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Names and facts of the regular files below ``folder``, sorted by name; see `is_hidden`.

    Raises:
        TooLargeError: more than `MAX_FILES`.
    """
    found: list[tuple[str, os.stat_result]] = []
    # os.walk follows no links to folders: one that leads to its own parent would never end.
    for path, folders, files in os.walk(folder):
        # In place: os.walk goes on with what is left in the list.
        folders[:] = [name for name in folders if not is_hidden(name)]
        prefix = "" if Path(path) == folder else f"{Path(path).relative_to(folder).as_posix()}/"
        for name in files:
            facts = None if is_hidden(name) else _facts(f"{path}/{name}")
            if facts is not None:
                found.append((prefix + name, facts))
        if len(found) > MAX_FILES:
            raise TooLargeError("it holds too many files", where=str(folder), hint=f"at most {MAX_FILES} below it")
    return iter(sorted(found, key=lambda entry: entry[0]))


def _facts(path: str) -> os.stat_result | None:
    """None for what is gone meanwhile, and for pipes and devices: opening one of these may never end."""
    try:
        facts = os.stat(path)  # noqa: PTH116  a Path per file costs more than the call
    except OSError:
        return None
    return facts if stat.S_ISREG(facts.st_mode) else None


def is_hidden(name: str) -> bool:
    """Whether a name belongs to the system that made the folder: ``.DS_Store``, ``._a.xml``, ``__MACOSX``."""
    return any(part.startswith(".") or part.lower() in _HIDDEN for part in name.split("/"))


@contextmanager
def opened(data: bytes, name: str, where: str) -> Iterator[LabelFiles]:
    """The files of ``data``: those inside if it is a zip or tar archive, otherwise one file called ``name``.

    Raises:
        DataError, TooLargeError: as `sedna.common.archive.unpack`.
    """
    if not _is_archive(data):
        yield OneFile(name, data, where)
        return
    with tempfile.TemporaryDirectory(prefix="sedna-labels-") as folder:
        archive = Path(folder) / "archive"
        archive.write_bytes(data)
        try:
            unpack(archive, Path(folder) / "files", _LIMITS)
        except UserError as error:  # the path of a temporary folder would mislead
            raise type(error)(error.message, where=error.where.replace(str(archive), where), hint=error.hint) from error
        yield FolderFiles(Path(folder) / "files", where)


def _is_archive(data: bytes) -> bool:
    """By the first bytes: what comes from standard input has no name."""
    magic = (b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")
    return data.startswith(magic) or data[257:262] == b"ustar"
