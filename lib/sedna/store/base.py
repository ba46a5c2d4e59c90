"""The object store seam: what every backend promises, and the rules for keys."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from pydantic import Field

from sedna.common.errors import NotFoundError, SpecError, TooLargeError
from sedna.common.types import Value
from sedna.store.oserrors import os_errors

__all__ = [
    "RESERVED",
    "NoBucketError",
    "ObjectInfo",
    "ObjectLimitError",
    "ObjectStore",
    "SignedPut",
    "Source",
    "check_key",
    "is_key",
    "opened",
]

Source = bytes | Path | BinaryIO
"""What can be stored: bytes, a file by its path, or a binary stream from its current position to its end."""

RESERVED = ".sedna-"
"""First parts that start so belong to the backends (staging area, probes): refused in keys, hidden from listings."""

_MAX_KEY_BYTES = 1024  # S3's limit
_MAX_PART_BYTES = 255  # the limit of common file systems, so that every key fits every backend


class NoBucketError(NotFoundError):
    """The bucket is missing, and with it every object."""


class ObjectLimitError(TooLargeError):
    """The server behind the store, or a proxy before it, takes no object of this size."""


class ObjectInfo(Value):
    """One stored object. ``etag`` is opaque and may be None; ``modified`` is aware."""

    key: str
    size: int
    etag: str | None = None
    modified: datetime


class SignedPut(Value):
    """How an object is written without credentials: PUT to ``url`` with these headers."""

    url: str = Field(repr=False)
    headers: dict[str, str] = Field(default_factory=dict)


class ObjectStore(Protocol):
    """Bytes under keys. Objects appear whole or not at all; readers never see half of one. Safe for several threads.

    A key is a relative path with "/" between its parts (see `check_key`). No key may be the folder of another
    ("a" beside "a/b"): a folder cannot hold both, and not every S3 server can.

    Every call may raise `AuthError` (``forbidden``), `NoBucketError`, `StoreUnavailableError` or, when writing,
    `StorageFullError` and `ObjectLimitError`.
    """

    @property
    def url(self) -> str:
        """Where the store is, without secrets, in a form that `open_store` takes."""
        ...

    def put(self, key: str, data: Source) -> ObjectInfo:
        """Store ``data`` under ``key``, replacing what was there.

        Raises:
            ConflictError: ``key`` is the folder of another key, or the other way round (where the backend can tell).
        """
        ...

    def put_if_absent(self, key: str, data: Source) -> bool:
        """Store ``data`` unless ``key`` exists; True when this call created the object. What exists is not touched.

        Of several racing writers at most one gets True. After a `StoreUnavailableError` nobody knows whether the
        object was written: a writer that must know puts a mark of its own into the content and reads it back.
        """
        ...

    def get(self, key: str) -> bytes:
        """The content of an object. Raises `NotFoundError`."""
        ...

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """The content of an object as a stream to read once. Raises `NotFoundError`.

        A connection that breaks while the stream is read raises `StoreUnavailableError` from ``read``.
        """
        ...

    def download(self, key: str, path: Path) -> None:
        """Write an object to ``path``: whole and flushed to the disk, or not at all. Makes missing folders.

        Raises `NotFoundError`, and `StorageFullError` when the local disk is full.
        """
        ...

    def stat(self, key: str) -> ObjectInfo | None:
        """What is known about an object, or None if there is none."""
        ...

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        """All objects whose key starts with ``prefix`` and comes after ``start_after``; fetched in pages while read.

        Sorted by key (as UTF-8 bytes). Some S3 servers, SeaweedFS among them, sort by path part instead: all of "a/"
        before "a-b". The two agree within a folder that has no subfolders; that is where to poll with
        ``start_after``. Elsewhere, go on only from the last key that the same store listed.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Make ``target`` an object with the bytes of ``source``, without moving them through this process.

        What exists under ``target`` is not touched. Raises `NotFoundError` if there is no ``source``.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove an object; nothing happens if there is none."""
        ...

    def presign_get(self, key: str, expires: timedelta) -> str | None:
        """A URL that reads the object without credentials until ``expires`` has passed; None = not supported here."""
        ...

    def presign_put(self, key: str, expires: timedelta, *, absent: bool = False) -> SignedPut | None:
        """A way to write the object without credentials until ``expires`` has passed; None = not supported here.

        Args:
            absent: only if it is not there then; a PUT that meets an object is answered with status 412. Where
                `put_if_absent` is not safe against a race, this is no condition at all: look first.
        """
        ...

    def close(self) -> None:
        """Give back connections. The store must not be used afterwards."""
        ...


def _key_fault(key: str) -> str | None:
    try:
        encoded = key.encode()
    except UnicodeEncodeError:
        return "is not valid UTF-8"
    if len(encoded) > _MAX_KEY_BYTES:
        return f"has {len(encoded)} bytes, more than {_MAX_KEY_BYTES}"
    if "\\" in key or any(ord(char) < 32 or ord(char) == 127 for char in key):
        return "holds a backslash or a control character"
    parts = key.split("/")
    if "" in parts:
        return "has an empty part (at the start, at the end, or between two slashes)"
    if "." in parts or ".." in parts:
        return "has a part '.' or '..'"
    if any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
        return f"has a part of more than {_MAX_PART_BYTES} bytes"
    if parts[0].startswith(RESERVED):
        return f"starts with {RESERVED!r}, which is reserved"
    return None


def check_key(key: str) -> str:
    """Return ``key`` if it is well formed, else raise `SpecError`.

    Well formed: UTF-8 of at most 1024 bytes; parts of 1 to 255 bytes joined by "/"; no part "." or ".."; no
    backslash, no control character; not in the reserved area.
    """
    fault = _key_fault(key)
    if fault is not None:
        raise SpecError(f"the object key {fault}", where=repr(key), hint="use a relative path such as 'a/b/c.bin'")
    return key


def is_key(key: str) -> bool:
    """Whether `check_key` accepts ``key``; listings leave out the names that it refuses."""
    return _key_fault(key) is None


@contextlib.contextmanager
def opened(data: Source) -> Iterator[tuple[BinaryIO, int | None]]:
    """``data`` as a stream with the number of bytes left in it (None = unknown until it was read).

    Raises `NotFoundError` if a path does not lead to a file.
    """
    if isinstance(data, bytes | bytearray | memoryview):
        yield io.BytesIO(data), len(data)
    elif isinstance(data, Path):
        with os_errors(str(data), writing=False):
            stream = data.open("rb")
        with stream:
            yield stream, os.fstat(stream.fileno()).st_size
    elif data.seekable():
        start = data.tell()
        end = data.seek(0, io.SEEK_END)
        data.seek(start)
        yield data, max(end - start, 0)
    else:
        yield data, None
