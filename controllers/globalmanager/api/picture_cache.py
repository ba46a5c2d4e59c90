"""Small pictures on disk: made once, within a bound, and made again if somebody deletes them."""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import Final

from sedna.common.atomic import temporary_beside
from sedna.common.log import LOGGER
from sedna.common.types import JobKey

__all__ = ["PictureCache"]

_REST: Final = 0.8
"""Of the bound that is left when the oldest go: to look through all files costs more than to delete some."""


class PictureCache:
    """Files by job, sample and form, at most ``max_bytes`` of them; those that were not asked for longest go first.

    What cannot be kept, as on a full disk, is made again the next time.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._size: int | None = None

    def get(self, job: JobKey, sample_id: str, form: str) -> bytes | None:
        """What is kept of a sample in this form, or None."""
        path = self._path(job, sample_id, form)
        try:
            content = path.read_bytes()
            os.utime(path)  # its last use
        except OSError:
            return None
        return content

    def put(self, job: JobKey, sample_id: str, form: str, content: bytes) -> None:
        """Keep a picture."""
        path = self._path(job, sample_id, form)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Not flushed to the disk: a file that a power cut tears is no picture, and `forget` is not far.
            beside = temporary_beside(path)
            try:
                beside.write_bytes(content)
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
            self._grown(len(content))
        except OSError as error:
            LOGGER.warning("a small picture was not kept: %s", error)

    def forget(self, job: JobKey, sample_id: str) -> None:
        """Drop every form of a sample."""
        for path in self._of_job(job).glob(f"{sample_id[:2]}/{sample_id}-*"):
            path.unlink(missing_ok=True)

    def forget_job(self, job: JobKey) -> None:
        """Drop everything of a job."""
        for path in self._of_job(job).glob("??/*"):
            path.unlink(missing_ok=True)

    def _of_job(self, job: JobKey) -> Path:
        return self._folder / job.namespace / job.name

    def _path(self, job: JobKey, sample_id: str, form: str) -> Path:
        return self._of_job(job) / sample_id[:2] / f"{sample_id}-{form}"

    def _grown(self, more: int) -> None:
        with self._lock:
            if self._size is None:
                self._size = sum(size for _, size, _ in self._files())
            else:
                self._size += more
            if self._size <= self._max_bytes:
                return
            files = sorted(self._files())
            self._size = sum(size for _, size, _ in files)
            for _, size, path in files:
                if self._size <= self._max_bytes * _REST:
                    return
                path.unlink(missing_ok=True)
                self._size -= size

    def _files(self) -> list[tuple[int, int, Path]]:
        found = []
        for path in self._folder.glob("*/*/??/*"):
            with contextlib.suppress(FileNotFoundError):
                facts = path.stat()
                found.append((facts.st_mtime_ns, facts.st_size, path))
        return found
