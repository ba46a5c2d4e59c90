"""Where the spool's image files lie, one folder a state, and the lock that keeps a second process out."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sedna.common.atomic import fsync_dir
from sedna.common.errors import ConflictError
from sedna.common.types import JobKey, SampleRecord
from sedna.edge.spool.index import Row
from sedna.edge.spool.values import SpoolState

__all__ = ["SpoolFiles"]

_FOLDERS = {
    SpoolState.PENDING: "images",
    SpoolState.REJECTED: "rejected",
    SpoolState.DAMAGED: "quarantine",
}


class SpoolFiles:
    """Paths and moves below the spool's folder: ``{images,rejected,quarantine}/{namespace}/{job}/{id}.{extension}``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index = folder / "index.sqlite3"
        self._lock: int | None = None
        self._prepared: set[Path] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def lock(self) -> None:
        """Take the folder for this process; the kernel gives it back when the process ends, however it ends."""
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace").strip()
            os.close(descriptor)
            raise ConflictError(
                f"in use by process {holder or 'unknown'}",
                where=str(self.folder),
                hint="one edge worker a data folder: stop the other one, or use another folder",
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._lock = descriptor

    def unlock(self) -> None:
        """Give the folder back; may be called twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def path(self, row: Row, state: SpoolState | None = None) -> Path:
        """Where the image of a row lies in a state (default: its own)."""
        return self._job_folder(state or row.state, row.job) / f"{row.sample_id}.{row.extension}"

    def size(self, row: Row) -> int | None:
        """Bytes of the image of a row; None if it is gone."""
        try:
            return self.path(row).stat().st_size
        except FileNotFoundError:
            return None

    def prepare(self, record: SampleRecord) -> Path:
        """Where a new sample goes; its folder exists afterwards, also after a power cut."""
        folder = self._job_folder(SpoolState.PENDING, record.job)
        self._make(folder)
        return folder / f"{record.sample_id}.{record.extension}"

    def move(self, row: Row, state: SpoolState) -> None:
        """Bring the image of a row where ``state`` wants it, wherever it is; nothing to do if it is nowhere."""
        target = self.path(row, state)
        for other in _FOLDERS:
            source = self.path(row, other)
            if source != target and source.exists():
                self._make(target.parent)
                source.replace(target)
                fsync_dir(target.parent)
                return

    def all(self) -> Iterator[tuple[SpoolState, JobKey | None, Path]]:
        """Every file below the state folders; the job is None where the path is not of our making."""
        for state, name in _FOLDERS.items():
            for folder, _, files in os.walk(self.folder / name):
                job = _job(Path(folder).relative_to(self.folder / name).parts)
                for file in files:
                    yield state, job, Path(folder) / file

    def _job_folder(self, state: SpoolState, job: JobKey) -> Path:
        return self.folder / _FOLDERS[state] / job.namespace / job.name

    def _make(self, folder: Path) -> None:
        if folder in self._prepared and folder.is_dir():
            return
        folder.mkdir(parents=True, exist_ok=True)
        for parent in (folder.parent, folder.parent.parent, self.folder):
            fsync_dir(parent)
        self._prepared.add(folder)


def _job(parts: tuple[str, ...]) -> JobKey | None:
    if len(parts) != 2:
        return None
    try:
        return JobKey(namespace=parts[0], name=parts[1])
    except ValidationError:
        return None
