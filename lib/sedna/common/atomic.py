"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from sedna.common.errors import StorageFullError

__all__ = [
    "append_line",
    "free_bytes",
    "fsync_dir",
    "full_disk_as_error",
    "is_temporary",
    "require_free_bytes",
    "sha256_file",
    "temporary_beside",
    "write_atomic",
]

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_MARK = ".sedna-tmp"


@contextlib.contextmanager
def full_disk_as_error(path: Path) -> Iterator[None]:
    """Turn "no space left", "quota exceeded" and "file too large" into `StorageFullError`; let other errors
    pass."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFullError(
            f"cannot write: {os.strerror(error.errno)}",
            where=str(path),
            hint="free some space",
            retry_after=30.0,
        ) from error


def temporary_beside(path: Path) -> Path:
    """A fresh hidden name in the folder of ``path`` (same file system, so that a rename is atomic)."""
    return path.with_name(f".{path.name[:100]}.{secrets.token_hex(8)}{_MARK}")


def is_temporary(path: Path) -> bool:
    """Whether ``path`` has a name of `temporary_beside`: after a crash it is a leftover that may be
    deleted."""
    return path.name.startswith(".") and path.name.endswith(_MARK)


def write_atomic(path: Path | str, data: bytes, *, mode: int = 0o644) -> None:
    """Replace the content of ``path`` so that every reader sees the old bytes or the new ones, and a crash
    keeps one.

    Writes a temporary file beside it, flushes it to the disk, renames it over ``path`` and flushes the
    folder. The folder must exist. ``mode`` is the permission of the new file, less the umask.

    Raises:
        StorageFullError: no space, quota or size limit; ``path`` is unchanged and nothing is left behind.
        OSError: any other failure, likewise.
    """
    path = Path(path)
    temporary = temporary_beside(path)
    with full_disk_as_error(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                # Before the rename: otherwise a power cut may leave the new name with no bytes behind it.
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    # The rename itself is on the disk only when the folder is.
    fsync_dir(path.parent)


def append_line(path: Path | str, line: str) -> None:
    """Append one line with a single write, so that concurrent readers never see half of it and writers do
    not mix.

    Raises:
        ValueError: ``line`` holds a line break.
        StorageFullError: as `write_atomic`.
    """
    if "\n" in line:
        raise ValueError("append_line takes one line, got a line break inside it")
    path = Path(path)
    with full_disk_as_error(path):
        # O_APPEND: the kernel puts each write at the end, whoever else has written meanwhile.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            _write_whole(descriptor, line.encode() + b"\n")
        finally:
            os.close(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    """One write; when the disk takes only a part of it, cut that part off again and raise."""
    written = os.write(descriptor, data)
    if written == len(data):
        return
    end = os.lseek(descriptor, 0, os.SEEK_CUR)
    if end == os.fstat(descriptor).st_size:  # nobody has appended behind us
        os.ftruncate(descriptor, end - written)
    raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")


def fsync_dir(folder: Path | str) -> None:
    """Flush a folder, so that the renames and creations in it survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # some network file systems cannot flush a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sha256_file(path: Path | str) -> str:
    """Lower-case hex sha256 of a file's bytes, read in pieces."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def free_bytes(path: Path | str) -> int:
    """Bytes that an ordinary user may still write on the file system of ``path`` (of its nearest existing
    parent)."""
    folder = Path(path).absolute()
    # The folder of a new job is made later than its space is asked about.
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_free_bytes(path: Path | str, needed: int) -> None:
    """Raise `StorageFullError` when fewer than ``needed`` bytes are free: better before a long write than
    after it."""
    free = free_bytes(path)
    if free < needed:
        raise StorageFullError(
            f"{needed} bytes are needed, {free} are free",
            where=str(path),
            hint="free some space",
            retry_after=30.0,
        )
