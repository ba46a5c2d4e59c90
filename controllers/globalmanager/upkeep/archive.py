"""The file of a backup: a tar whose last member lists all others with their sha256, so that half of one is known.

backup.json          what it is, of which schema, and whether the store is in it
sedna.db             the database, as it was at one moment
settings/{name}      service.yaml and admin.token
store/{key}          an object
index.jsonl          name, size and sha256 of every member before it
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, BinaryIO, Literal

from pydantic import AwareDatetime, Field, ValidationError

from sedna.common.atomic import fsync_dir, full_disk_as_error, temporary_beside
from sedna.common.errors import ConflictError, DataError, NotFoundError
from sedna.common.types import Value
from sedna.common.validation import first_fault

__all__ = ["DATABASE", "SETTINGS", "STORE", "ArchiveWriter", "Header", "check_archive", "members", "written_archive"]

HEADER, DATABASE, INDEX = "backup.json", "sedna.db", "index.jsonl"
SETTINGS, STORE = "settings/", "store/"
_CHUNK = 2**20
_IN_MEMORY = 2**25


class Header(Value):
    """What a backup is. ``id`` names this very one."""

    kind: Literal["sedna.backup"] = "sedna.backup"
    format: Literal[1] = 1
    id: str
    created_at: AwareDatetime
    program: str = Field(description="version that wrote it")
    schema_revision: str = Field(description="of the database")
    store: str = Field(description="where the objects were")
    with_store: bool


class ArchiveWriter:
    """Adds members; see `written_archive`."""

    def __init__(self, tar: tarfile.TarFile, index: IO[bytes]) -> None:
        self._tar, self._index = tar, index

    def add(self, name: str, data: bytes) -> None:
        """Add bytes."""
        self._add(name, io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest())

    def copy(self, name: str, stream: BinaryIO | IO[bytes]) -> int:
        """Add a stream to its end; its size."""
        # First aside: a tar says the size before the bytes, and what a store lists may be replaced before it is read.
        digest, size = hashlib.sha256(), 0
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as aside:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                size += aside.write(chunk)
            aside.seek(0)
            self._add(name, aside, size, digest.hexdigest())
        return size

    def _add(self, name: str, stream: IO[bytes], size: int, sha256: str) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        self._tar.addfile(info, stream)
        self._index.write(json.dumps({"name": name, "size": size, "sha256": sha256}).encode() + b"\n")


@contextlib.contextmanager
def written_archive(path: Path, header: Callable[[], Header]) -> Iterator[ArchiveWriter]:
    """A new archive: it appears under ``path`` whole and flushed when the block ends, or not at all.

    Only its owner can read it: the token of the admin is inside.

    Raises:
        ConflictError: there is such a file.
        NotFoundError: its folder does not exist.
        StorageFullError: no space left.
    """
    if path.exists():
        raise ConflictError("this file exists", where=str(path), hint="a new name; a backup replaces none")
    if not path.absolute().parent.is_dir():
        raise NotFoundError("there is no such folder", where=str(path.absolute().parent))
    aside = temporary_beside(path.absolute())
    try:
        with full_disk_as_error(path), tempfile.TemporaryFile(dir=aside.parent) as index:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    writer = ArchiveWriter(tar, index)
                    writer.add(HEADER, header().model_dump_json(indent=2).encode())
                    yield writer
                    index.seek(0)
                    info = tarfile.TarInfo(INDEX)
                    info.size, info.mode = os.fstat(index.fileno()).st_size, 0o600
                    tar.addfile(info, index)
                file.flush()
                os.fsync(file.fileno())
            aside.replace(path)
            fsync_dir(path.absolute().parent)
    finally:
        aside.unlink(missing_ok=True)


def check_archive(path: Path) -> Header:
    """Read an archive through, and compare every member with the list at its end.

    Raises:
        NotFoundError: there is no such file.
        DataError: it is no backup, not whole, or damaged.
    """
    found: list[dict[str, object]] = []
    header: Header | None = None
    with _as_error(path):  # of the reading, which happens here and not in `members`
        for name, stream in members(path):
            if name == INDEX:
                if [json.loads(line) for line in stream] != found:
                    raise DataError("a member is not what the list at its end says: it is damaged", where=str(path))
                if header is not None:
                    return header
                break
            if name == HEADER:
                header = _header(data := stream.read(), path)
                found.append(_listed(name, io.BytesIO(data)))
            else:
                found.append(_listed(name, stream))
    raise DataError("the end is missing: it was not written to its end", where=str(path), hint="another backup")


def _listed(name: str, stream: IO[bytes]) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        size += len(chunk)
    return {"name": name, "size": size, "sha256": digest.hexdigest()}


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of every file in an archive, in its order; each is read before the next.

    Raises:
        NotFoundError: there is no such file.
        DataError: it is no archive.
    """
    with _as_error(path), tarfile.open(path, mode="r:") as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isfile() else None
            if stream is not None:
                with stream:
                    yield info.name, stream


@contextlib.contextmanager
def _as_error(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise NotFoundError("there is no such file", where=str(path)) from error
    except (tarfile.TarError, ValueError) as error:
        raise DataError(f"it is no backup, or damaged: {error}", where=str(path)) from error


def _header(data: bytes, path: Path) -> Header:
    try:
        return Header.model_validate_json(data)
    except ValidationError as error:
        message = f"it is no backup that this version reads: {first_fault(error).message}"
        raise DataError(message, where=str(path)) from error
