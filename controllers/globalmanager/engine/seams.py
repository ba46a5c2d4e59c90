"""The seams of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from globalmanager.db.values import JobRow
from globalmanager.ingest.seams import Seams
from globalmanager.runtimes.base import WorkerRuntime
from globalmanager.settings import EngineSettings
from sedna.loop.state import Stage


def job_folder(settings: EngineSettings, job: JobRow) -> Path:
    """Folder of a job's workers. The id keeps a job apart from a deleted one of the same name."""
    return settings.work_dir / job.key.namespace / f"{job.key.name}-{job.id}"


def worker_folder(settings: EngineSettings, job: JobRow, number: int, stage: Stage, attempt: int) -> Path:
    """Folder of one worker attempt."""
    return job_folder(settings, job) / str(number) / f"{stage.value.lower()}-{attempt}"


@dataclass(frozen=True, kw_only=True)
class EngineSeams(Seams):
    """What every part of the engine works with: `Seams`, where workers run, and since when edges are heard by it."""

    runtime: WorkerRuntime
    listening_since: datetime | None = None

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
