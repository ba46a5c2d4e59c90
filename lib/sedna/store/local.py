"""An object store in a folder: the twin of S3 for tests, laptops and single machines."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from sedna.common.atomic import fsync_dir
from sedna.common.errors import NotFoundError, StoreUnavailableError
from sedna.store.base import RESERVED, ObjectInfo, Source, check_key, is_key, opened
from sedna.store.download import copy_stream, stream_to_file
from sedna.store.oserrors import os_errors

__all__ = ["FolderStore"]

_STAGING = f"{RESERVED}tmp"
_PLACE_TRIES = 100  # only a folder that is deleted between two system calls makes another try necessary


class FolderStore:
    """Objects as files below ``root``, whose relative paths are the keys. Safe for several processes.

    A write goes to a staging folder on the same file system, is flushed to the disk, and is then renamed (or, for
    `put_if_absent`, hard-linked) into place, which is atomic. The folder is trusted: whoever can write to it can
    place links in it.

    Args:
        root: made if missing.
        stale_after: staged files older than this are leftovers of crashed writers and are deleted when a store is
            opened; longer than any upload takes.
        hard_links: whether the file system has them; None = try. Without, `put_if_absent` holds a file lock, which
            excludes other `put_if_absent` calls but not a plain `put` of the same key.
        durable: flush every write to the disk. Without, objects still appear whole or not at all to other processes,
            but a power cut may lose or tear the last ones: for results that can be computed again.

    Raises:
        AuthError: the folder cannot be written.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        stale_after: timedelta = timedelta(days=1),
        hard_links: bool | None = None,
        durable: bool = True,
    ) -> None:
        self.root = Path(root).absolute()
        self._staging = self.root / _STAGING
        self._durable = durable
        with os_errors(str(self.root), writing=True):
            self._staging.mkdir(parents=True, exist_ok=True)
            self._delete_stale(stale_after)
            self._hard_links = self._probe_links() if hard_links is None else hard_links

    @property
    def url(self) -> str:
        return self.root.as_uri()

    def put(self, key: str, data: Source) -> ObjectInfo:
        target = self._path(key)
        with self._staged(key, data) as staged:
            info = self._info(key, staged.stat())
            self._place(key, target, lambda: _replace(staged, target))
        return info

    def put_if_absent(self, key: str, data: Source) -> bool:
        target = self._path(key)
        if target.is_file():  # saves writing the bytes; the decision is made again, atomically, below
            return False
        with self._staged(key, data) as staged:
            return self._place(key, target, lambda: self._link(staged, target))

    def get(self, key: str) -> bytes:
        path = self._path(key)
        with os_errors(key, writing=False):
            return path.read_bytes()

    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        path = self._path(key)
        with os_errors(key, writing=False):
            return path.open("rb")

    def download(self, key: str, path: Path) -> None:
        stream_to_file(self.open(key), path)

    def stat(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        with os_errors(key, writing=False):
            try:
                found = path.stat()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return self._info(key, found) if stat.S_ISREG(found.st_mode) else None

    def list(self, prefix: str = "", start_after: str = "") -> Iterator[ObjectInfo]:
        for key, path in self._walk(self.root, "", prefix, start_after):
            try:
                found = path.stat()
            except FileNotFoundError:  # deleted since its folder was read
                continue
            yield self._info(key, found)

    def copy(self, source: str, target: str) -> None:
        origin, place = self._path(source), self._path(target)
        if not origin.is_file():
            raise NotFoundError("there is no such object", where=source)
        if not self._hard_links:
            self.put_if_absent(target, origin)
            return
        # Two names of one file: an object's bytes never change in place, so neither sees what becomes of the other.
        self._place(target, place, lambda: _link_new(origin, place))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with os_errors(key, writing=True):
            try:
                path.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return  # there is no such object
            with contextlib.suppress(FileNotFoundError):  # another delete removed the emptied folder
                self._flush(path.parent)
        # Empty folders are no objects; one that stayed would keep its name from becoming a key.
        for folder in path.parents:
            if folder == self.root:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty, or somebody was faster
                break

    def presign_get(self, key: str, expires: timedelta) -> str | None:  # noqa: ARG002  a folder has no web server
        check_key(key)
        return None

    def presign_put(self, key: str, expires: timedelta, *, absent: bool = False) -> None:  # noqa: ARG002  as above
        check_key(key)

    def close(self) -> None:
        """Nothing is held between calls."""

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)

    @staticmethod
    def _info(key: str, found: os.stat_result) -> ObjectInfo:
        return ObjectInfo(key=key, size=found.st_size, modified=datetime.fromtimestamp(found.st_mtime, UTC))

    @contextlib.contextmanager
    def _staged(self, key: str, data: Source) -> Iterator[Path]:
        staged = self._staging / secrets.token_hex(16)
        try:
            with opened(data) as (source, _):
                with os_errors(key, writing=True):
                    file = staged.open("xb")
                try:
                    copy_stream(source, file, key, durable=self._durable)
                finally:
                    with os_errors(key, writing=True):
                        file.close()  # flushes again what a full disk has refused, and is refused again
            yield staged
        finally:
            staged.unlink(missing_ok=True)

    def _place(self, key: str, target: Path, move: Callable[[], bool]) -> bool:
        """Run ``move`` once the folder of ``target`` exists, flush that folder, and return what ``move`` returned."""
        for _ in range(_PLACE_TRIES):
            with os_errors(key, writing=True):
                try:
                    self._make_folders(target.parent)
                    placed = move()
                except FileNotFoundError:
                    continue  # a delete removed the empty folder in between
                except (IsADirectoryError, FileExistsError):
                    if not _remove_empty_folder(target):
                        raise
                    continue
                with contextlib.suppress(FileNotFoundError):  # deleted again by somebody else
                    self._flush(target.parent)
                return placed
        raise StoreUnavailableError("its folder is deleted again and again", where=key)

    def _make_folders(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self._make_folders(folder.parent)
        folder.mkdir(exist_ok=True)
        self._flush(folder.parent)

    def _flush(self, folder: Path) -> None:
        if self._durable:
            fsync_dir(folder)

    def _link(self, staged: Path, target: Path) -> bool:
        if not self._hard_links:
            with (self._staging / "lock").open("ab") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                return False if target.is_file() else _replace(staged, target)
        return _link_new(staged, target)

    def _probe_links(self) -> bool:
        first, second = (self._staging / secrets.token_hex(16) for _ in range(2))
        try:
            first.touch(exist_ok=False)
            second.hardlink_to(first)
        except OSError as error:
            if error.errno in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
                return False
            raise
        finally:
            first.unlink(missing_ok=True)
            second.unlink(missing_ok=True)
        return True

    def _delete_stale(self, stale_after: timedelta) -> None:
        oldest = time.time() - stale_after.total_seconds()
        for path in self._staging.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its writer finished, or another opener was faster
                if path.name != "lock" and path.stat().st_mtime < oldest:
                    path.unlink()

    def _walk(self, folder: Path, base: str, prefix: str, start_after: str) -> Iterator[tuple[str, Path]]:
        """Keys and paths below ``folder`` in key order: a folder sorts as its name with "/" behind it."""
        with os_errors(base or str(self.root), writing=False):
            try:
                named = sorted(_named(folder, base))
            except (FileNotFoundError, NotADirectoryError):
                if not base:
                    raise
                return  # deleted since its parent was read
        for name, path in named:
            if not name.endswith("/"):
                if name.startswith(prefix) and name > start_after and is_key(name):
                    yield name, Path(path)
            elif _may_hold(name, prefix, start_after):
                yield from self._walk(Path(path), name, prefix, start_after)


def _may_hold(folder: str, prefix: str, start_after: str) -> bool:
    """Whether keys wanted by a listing can begin with ``folder`` (which ends in "/")."""
    if folder.startswith(RESERVED):
        return False
    on_the_way = folder.startswith(prefix) or prefix.startswith(folder)
    return on_the_way and (folder > start_after or start_after.startswith(folder))


def _named(folder: Path, base: str) -> Iterator[tuple[str, str]]:
    """Key (a folder's with "/" behind it) and path of the files and folders in ``folder``."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield f"{base}{entry.name}/", entry.path
            elif entry.is_file():
                yield f"{base}{entry.name}", entry.path


def _link_new(source: Path, target: Path) -> bool:
    """Whether ``target`` became another name of ``source``; False where a file has that name."""
    try:
        target.hardlink_to(source)
    except FileExistsError:
        if target.is_file():
            return False
        raise
    return True


def _replace(staged: Path, target: Path) -> bool:
    staged.replace(target)
    return True


def _remove_empty_folder(path: Path) -> bool:
    """Whether ``path`` was an empty folder, left by a crash, and is gone now."""
    try:
        path.rmdir()
    except OSError:
        return False
    return True
