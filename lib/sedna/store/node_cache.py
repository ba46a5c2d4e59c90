"""What this machine has of the store: files by content, shared by all workers on it, within a bound."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import tenacity

from sedna.common.atomic import sha256_file, temporary_beside
from sedna.common.errors import IntegrityError, LinkUnavailableError, NotFoundError, SednaError
from sedna.store.base import NoBucketError
from sedna.store.download import stream_to_file
from sedna.store.file_sets import FileStore
from sedna.store.oserrors import os_errors

__all__ = ["DEFAULT_BYTES", "NodeCache"]

DEFAULT_BYTES = 32 * 2**30
"""Some hundred thousand pictures: what a round reads again, without filling the disk of a small machine."""

_PARALLEL = 8  # downloads at a time: enough to hide the latency of an object store
_BROKEN_DOWNLOADS = 8  # in a row, of one file
_TRIES = 3  # another worker may delete an old file between its look-up and its link
_NO_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK})


class NodeCache:
    """Files by their sha256 in ``folder``, ``<first two digits>/<sha256>``, at most ``max_bytes`` of them.

    A file is named by its content, so it is right or damaged, never old; it is checked whenever it is used. Workers
    get it as a hard link where the file system has them. The cache is a copy of the store and not a link to it: a
    program that writes to its inputs reaches the cache, where the damage is found and mended, and not the store.

    Several processes may use one folder.
    """

    def __init__(self, folder: Path, max_bytes: int = DEFAULT_BYTES) -> None:
        self._folder = folder.absolute()
        self._max_bytes = max_bytes
        self._grew = False

    def place(self, store: FileStore, key: str, sha256: str, target: Path) -> None:
        """Make ``target`` the file of this content, fetched from ``key`` of ``store`` if it is not here.

        Raises:
            NotFoundError: the store has no such object.
            IntegrityError: the store's bytes are others; nothing is left of them.
            StorageFullError: the disk is full.
        """
        for left in reversed(range(_TRIES)):
            held = self._hold(store, key, sha256)
            with os_errors(str(target), writing=True):
                target.parent.mkdir(parents=True, exist_ok=True)
                try:
                    _link(held, target)
                except FileNotFoundError:
                    if not left:
                        raise
                    continue
            return

    def place_all(self, store: FileStore, wanted: Iterable[tuple[str, str, Path]]) -> None:
        """`place` for many (key, sha256, target), several at a time; makes room afterwards."""
        for error in self.place_each(store, wanted).values():
            raise error

    def place_each(self, store: FileStore, wanted: Iterable[tuple[str, str, Path]]) -> dict[str, SednaError]:
        """`place_all`, which goes on past objects that are missing or damaged.

        Returns:
            what is wrong, by key.

        Raises:
            NoBucketError: all objects are missing, with what holds them.
            StorageFullError: the disk is full.
        """
        listed = list(wanted)
        faults: dict[str, SednaError] = {}
        with ThreadPoolExecutor(_PARALLEL, thread_name_prefix="node-cache") as pool:
            pending = [pool.submit(self.place, store, *one) for one in listed]
            try:
                for (key, _, _), future in zip(listed, pending, strict=True):
                    try:
                        future.result()
                    except NoBucketError:
                        raise
                    except (NotFoundError, IntegrityError) as error:
                        faults[key] = error
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        self.make_room()
        return faults

    def make_room(self) -> None:
        """Delete what was not used for longest, until the rest fits. Workers keep what they have linked."""
        if not self._grew or not self._folder.is_dir():
            return
        self._grew = False
        held = []
        for path in self._folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                held.append((found.st_mtime_ns, found.st_size, path))
        size = sum(one[1] for one in held)
        for _, bytes_, path in sorted(held):
            if size <= self._max_bytes:
                return
            path.unlink(missing_ok=True)
            size -= bytes_

    def _hold(self, store: FileStore, key: str, sha256: str) -> Path:
        path = self._folder / sha256[:2] / sha256
        with os_errors(str(path), writing=True):
            if path.is_file():
                if sha256_file(path) == sha256:
                    os.utime(path)  # its last use: the oldest go first
                    return path
                path.unlink(missing_ok=True)
        try:
            self._fetch(store, key, sha256, path)
        except IntegrityError as error:
            raise IntegrityError("the store's bytes are not those that are recorded", where=key) from error
        self._grew = True
        return path

    @staticmethod
    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(LinkUnavailableError),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=15),
        stop=tenacity.stop_after_attempt(_BROKEN_DOWNLOADS),
        reraise=True,
    )
    def _fetch(store: FileStore, key: str, sha256: str, path: Path) -> None:
        """A connection that breaks in the middle of a file costs that file, and not the attempt."""
        # Not flushed to the disk: what a power cut tears is found at the next use.
        stream_to_file(store.open(key), path, sha256=sha256, durable=False)


def _link(held: Path, target: Path) -> None:
    """Make ``target`` a name of the file ``held``, or a copy of it; what an earlier start has left there goes."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(held)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        beside = temporary_beside(target)
        try:
            shutil.copyfile(held, beside)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)
