"""What every part of the engine works with."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from globalmanager.db import Database, lease
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow
from globalmanager.runtimes.base import WorkerRuntime
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.loop.state import Stage
from sedna.store.base import ObjectStore


def job_folder(settings: EngineSettings, job: JobRow) -> Path:
    """Folder of a job's workers. The id keeps a job apart from a deleted one of the same name."""
    return settings.work_dir / job.key.namespace / f"{job.key.name}-{job.id}"


def worker_folder(settings: EngineSettings, job: JobRow, number: int, stage: Stage, attempt: int) -> Path:
    """Folder of one worker attempt."""
    return job_folder(settings, job) / str(number) / f"{stage.value.lower()}-{attempt}"


@dataclass(frozen=True)
class Tools:
    """The seams of the engine, the token of its lease, and since when it is the one that edges are heard by."""

    db: Database
    store: ObjectStore
    runtime: WorkerRuntime
    clock: Clock
    settings: EngineSettings
    token: int
    listening_since: datetime | None = None

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that only the holder of the lease can make.

        Raises:
            LeaseLostError: another engine has taken over.
        """
        with self.db.write() as session:
            lease.check(session, self.token)
            yield session

    def confirm(self) -> None:
        """Raise `LeaseLostError` if another engine has taken over: asked before something outside is started."""
        with self.write():
            pass

    def now(self) -> datetime:
        """The time."""
        return self.clock.now()

    def job_dir(self, job: JobRow) -> Path:
        """Folder of a job's workers."""
        return job_folder(self.settings, job)

    def worker_dir(self, job: JobRow, number: int, stage: Stage, attempt: int) -> Path:
        """Folder of one worker attempt."""
        return worker_folder(self.settings, job, number, stage, attempt)

    def model_dir(self, job: JobRow, version: int) -> Path:
        """Folder in which a model version is kept for workers."""
        return self.models_dir(job) / str(version)

    def models_dir(self, job: JobRow) -> Path:
        """Folder of all model versions that are kept for workers of a job."""
        return self.settings.cache_dir / "models" / str(job.id)

    @property
    def image_dir(self) -> Path:
        """Cache of images by content, shared by all jobs."""
        return self.settings.cache_dir / "images"
