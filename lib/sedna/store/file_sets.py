"""Local files as a set in a store: each under a key that holds its sha256, so that no upload harms another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import Field, ValidationError, field_validator

from sedna.common.atomic import is_temporary, sha256_file
from sedna.common.errors import ConflictError, DataError, NotFoundError
from sedna.common.types import Sha256, Value
from sedna.common.validation import first_fault
from sedna.store.base import ObjectInfo, Source, is_key
from sedna.store.download import sha256_stream
from sedna.store.oserrors import os_errors

__all__ = ["FileEntry", "FileStore", "KeyOf", "LocalFile", "StoredFile", "list_files", "upload"]


class FileEntry(Value):
    """One file of a set. ``name`` is a relative path inside the set's folder; ``size`` in bytes."""

    name: str
    sha256: Sha256
    size: int = Field(ge=0)

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        if not is_key(name):
            raise ValueError(f"{name!r} is no name for a file of a set: use a relative path without '..'")
        return name


class StoredFile(FileEntry):
    """A file of a set, and where its bytes are."""

    key: str


class FileStore(Protocol):
    """The part of `ObjectStore` that moving files needs; what a worker has of it over HTTP."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """As `ObjectStore.open`."""
        ...

    def get(self, key: str) -> bytes:
        """As `ObjectStore.get`."""
        ...

    def put(self, key: str, data: Source) -> ObjectInfo:
        """As `ObjectStore.put`."""
        ...

    def put_if_absent(self, key: str, data: Source) -> bool:
        """As `ObjectStore.put_if_absent`."""
        ...

    def delete(self, key: str) -> None:
        """As `ObjectStore.delete`."""
        ...


KeyOf = Callable[[FileEntry], str]
"""Where a file of a set goes; the key must hold its sha256."""


@dataclass(frozen=True)
class LocalFile:
    """A file to store, and the state in which it was hashed."""

    path: Path
    entry: FileEntry
    stamp: tuple[int, int]


def list_files(source: Path) -> list[LocalFile]:
    """The file ``source``, or all files of that folder but unfinished ones (`is_temporary`), sorted by name.

    Raises:
        NotFoundError: ``source`` does not exist.
        DataError: it is an empty folder, or holds links, devices or names that no store takes.
    """
    return [_read(name, path) for name, path in _paths(source).items()]


def upload(store: FileStore, files: Sequence[LocalFile], key_of: KeyOf) -> tuple[StoredFile, ...]:
    """Store the files. Doing it again sends only what is not there, and replaces what is damaged.

    Raises:
        ConflictError: a file changes while it is stored; nothing of it stays.
    """
    return tuple(_put(store, file, key_of(file.entry)) for file in files)


def _paths(source: Path) -> dict[str, Path]:
    """Path by name, in the order of the names."""
    if source.is_file():
        return {source.name: source}
    if not source.is_dir():
        raise NotFoundError("there is no such file or folder", where=str(source))
    found = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if not is_temporary(path)}
    for path in found.values():
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise DataError("only plain files and folders can be stored", where=str(path), hint="copy what it links to")
    files = {name: found[name] for name in sorted(found) if found[name].is_file()}
    if not files:
        raise DataError("the folder is empty", where=str(source), hint="save the model there first")
    return files


def _read(name: str, path: Path) -> LocalFile:
    with os_errors(str(path), writing=False):
        stamp = _stamp(path)
        digest = sha256_file(path)
    try:
        return LocalFile(path, FileEntry(name=name, sha256=digest, size=stamp[1]), stamp)
    except ValidationError as error:
        # The name may be no UTF-8, which is what is wrong with it: the message has to be.
        shown = str(path).encode(errors="backslashreplace").decode()
        raise DataError(first_fault(error).message, where=shown) from error


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the file is written to: (time of change in ns, size)."""
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _put(store: FileStore, file: LocalFile, key: str) -> StoredFile:
    stored = StoredFile(**file.entry.model_dump(), key=key)
    if not store.put_if_absent(key, file.path):
        with store.open(key) as content:
            if sha256_stream(content) == file.entry.sha256:
                return stored
        store.put(key, file.path)  # the key names the content, so what is there is damaged
    # Looked at after the bytes were read: a file that was written to in between has no right to its key.
    with os_errors(str(file.path), writing=False):
        unchanged = _stamp(file.path) == file.stamp
    if not unchanged:
        store.delete(key)
        hint = "end its writer first"
        raise ConflictError("the file changed while it was stored", where=str(file.path), hint=hint)
    return stored
