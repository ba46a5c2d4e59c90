"""Streams to files: whole and flushed, or not at all."""

from __future__ import annotations

import hashlib
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from sedna.common.atomic import fsync_dir, temporary_beside
from sedna.common.errors import IntegrityError
from sedna.store.oserrors import os_errors

__all__ = ["copy_stream", "sha256_stream", "stream_to_file"]

_CHUNK = 1 << 20


def copy_stream(
    source: BinaryIO, target: BinaryIO, where: str, max_bytes: int | None = None, *, durable: bool = True
) -> str:
    """Copy to the end of ``source``, flush ``target`` to the disk; returns the lower-case hex sha256 of the bytes.

    Failures of ``target`` are reported for ``where``; failures of ``source`` pass through. More than ``max_bytes``
    raise `IntegrityError` as soon as they arrive. Without ``durable`` the system may write the bytes when it likes.
    """
    digest = hashlib.sha256()
    count = 0
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
        count += len(chunk)
        if max_bytes is not None and count > max_bytes:
            raise IntegrityError(f"there are more bytes than the recorded {max_bytes}", where=where)
        with os_errors(where, writing=True):
            target.write(chunk)
    with os_errors(where, writing=True):
        target.flush()
        if durable:
            os.fsync(target.fileno())
    return digest.hexdigest()


def sha256_stream(source: BinaryIO) -> str:
    """Lower-case hex sha256 of the rest of a stream."""
    digest = hashlib.sha256()
    while chunk := source.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


def stream_to_file(
    source: AbstractContextManager[BinaryIO],
    path: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    durable: bool = True,
) -> None:
    """Write a stream to ``path`` through a temporary file beside it. Makes missing folders.

    When it fails, ``path`` is as before and nothing is left behind. Without ``durable`` a power cut may tear the file.

    Raises:
        IntegrityError: the bytes do not have the given sha256, or are more than ``size``.
        StorageFullError: the disk is full.
    """
    temporary = temporary_beside(path)
    with source as stream:
        with os_errors(str(path), writing=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = temporary.open("xb")
        try:
            try:
                found = copy_stream(stream, file, str(path), size, durable=durable)
            finally:
                with os_errors(str(path), writing=True):
                    file.close()  # flushes again what a full disk has refused, and is refused again
            if sha256 is not None and found != sha256:
                raise IntegrityError(f"the bytes have sha256 {found}, recorded is {sha256}", where=str(path))
            with os_errors(str(path), writing=True):
                temporary.replace(path)
                if durable:
                    fsync_dir(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
