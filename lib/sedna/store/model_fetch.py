"""Model files from wherever they are to a local folder: verified or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

from sedna.common.atomic import fsync_dir, require_free_bytes, sha256_file
from sedna.common.errors import IntegrityError
from sedna.store.base import ObjectStore
from sedna.store.download import stream_to_file
from sedna.store.file_sets import FileEntry
from sedna.store.layout import model_file_key
from sedna.store.model_values import ModelManifest
from sedna.store.oserrors import os_errors

__all__ = ["OpenFile", "fetch_model", "fetch_model_over", "verify_model"]

OpenFile = Callable[[str], AbstractContextManager[BinaryIO]]
"""Opens a file of a model by its name, wherever the model is."""


def fetch_model(store: ObjectStore, manifest: ModelManifest, dest: Path) -> Path:
    """`fetch_model_over` from a store."""
    keys = {
        file.name: model_file_key(manifest.job, manifest.version, file.sha256, file.name) for file in manifest.files
    }
    return fetch_model_over(lambda name: store.open(keys[name]), manifest, dest)


def fetch_model_over(open_file: OpenFile, manifest: ModelManifest, dest: Path) -> Path:
    """Bring the files of a model into the folder ``dest``, which appears when all are there and verified.

    Downloads to a folder beside it, which the next try goes on from: files that arrived whole are not fetched again.
    A ``dest`` that is right already is left alone; one that is damaged is replaced. Several processes may want the
    same ``dest``: one fetches, the others wait for it.

    Returns:
        ``dest``.

    Raises:
        IntegrityError: the other end's bytes are not the manifest's; ``dest`` does not appear.
        StorageFullError: the disk has no room, found before the download where possible.
        Whatever ``open_file`` raises.
    """
    with os_errors(str(dest), writing=True):
        dest.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(dest.with_name(f".{dest.name}.lock")):
        if not _is_right(dest, manifest):
            # Of a fixed name, so that the next try finds what has arrived; the lock keeps two tries apart.
            beside = dest.with_name(f".{dest.name}.partial")
            _download(open_file, manifest, beside)
            with os_errors(str(dest), writing=True):
                _move_in(beside, dest)
    return dest


def verify_model(folder: Path, manifest: ModelManifest) -> None:
    """Check that every file of the manifest is in ``folder`` with the right bytes; other files do not matter.

    Raises:
        IntegrityError: one is missing or differs; names it.
    """
    for file in manifest.files:
        path = folder / file.name
        if not path.is_file():
            raise IntegrityError("the file is missing", where=str(path))
        with os_errors(str(path), writing=False):
            found = sha256_file(path)
        if found != file.sha256:
            raise IntegrityError(f"the bytes have sha256 {found}, recorded is {file.sha256}", where=str(path))


def _download(open_file: OpenFile, manifest: ModelManifest, folder: Path) -> None:
    with os_errors(str(folder), writing=True):
        folder.mkdir(exist_ok=True)
        _remove_strangers(folder, manifest)
    missing = [file for file in manifest.files if not _is_file(folder / file.name, file)]
    # Before the download: a full disk is found at once, not after an hour on a thin line.
    require_free_bytes(folder, sum(file.size for file in missing))
    for file in missing:
        stream_to_file(open_file(file.name), folder / file.name, sha256=file.sha256, size=file.size)
    with os_errors(str(folder), writing=True):
        for inner in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
            fsync_dir(inner)


def _is_file(path: Path, file: FileEntry) -> bool:
    with os_errors(str(path), writing=False):
        return path.is_file() and path.stat().st_size == file.size and sha256_file(path) == file.sha256


def _is_right(folder: Path, manifest: ModelManifest) -> bool:
    return folder.is_dir() and all(_is_file(folder / file.name, file) for file in manifest.files)


def _remove_strangers(folder: Path, manifest: ModelManifest) -> None:
    """Leftovers of another model, or of a download that broke off."""
    files = {folder / file.name for file in manifest.files}
    folders = {parent for file in files for parent in file.parents}
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder comes before the folder
        if path.is_dir() and not path.is_symlink():
            if path not in folders:
                path.rmdir()
        elif path not in files or path.is_symlink():
            path.unlink()


def _move_in(beside: Path, dest: Path) -> None:
    """Rename ``beside`` to ``dest``, whatever is there."""
    if dest.exists():
        # Two renames, since a folder cannot replace one that is not empty. A crash in between leaves no `dest`, which
        # the next call makes again.
        dest.rename(dest.with_name(f".{dest.name}.{secrets.token_hex(8)}.old"))
    beside.rename(dest)
    fsync_dir(dest.parent)
    for leftover in dest.parent.glob(f".{dest.name}.*.old"):  # also of a crash between the two renames
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    """Wait until no other process or thread holds the lock file ``path``, which is gone afterwards."""
    while True:
        with os_errors(str(path), writing=True):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # Whoever held it before has removed the file: then this lock is on a file that nobody else will find.
            if not _is_same_file(path, descriptor):
                continue
            try:
                yield
            finally:
                path.unlink()
            return
        finally:
            os.close(descriptor)


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
