"""The jobs an edge serves, found by the model name of a request."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey
from sedna.edge.pipeline import MinerPipeline
from sedna.edge.slot import ModelSlot

__all__ = ["JobTable", "ServedJob"]


@dataclass(frozen=True, slots=True, eq=False)
class ServedJob:
    """One job's slot and pipeline."""

    key: JobKey
    slot: ModelSlot
    pipeline: MinerPipeline


class JobTable:
    """Jobs by model name: ``namespace.name`` always, ``name`` alone where only one job has it. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[JobKey, ServedJob] = {}

    def add(self, job: ServedJob) -> None:
        """Serve a job."""
        with self._lock:
            self._jobs = {**self._jobs, job.key: job}

    def remove(self, key: JobKey) -> ServedJob | None:
        """Serve it no longer."""
        with self._lock:
            removed = self._jobs.get(key)
            self._jobs = {other: job for other, job in self._jobs.items() if other != key}
            return removed

    def get(self, key: JobKey) -> ServedJob | None:
        """The job with this key."""
        return self._jobs.get(key)

    def all(self) -> tuple[ServedJob, ...]:
        """All jobs."""
        return tuple(self._jobs.values())

    def find(self, model_name: str) -> ServedJob:
        """The job that a request means.

        Raises:
            NotFoundError: none, or more than one.
        """
        jobs = self.all()
        full = [job for job in jobs if f"{job.key.namespace}.{job.key.name}" == model_name]
        matches = full or [job for job in jobs if job.key.name == model_name]
        if len(matches) == 1:
            return matches[0]
        known = ", ".join(sorted(self.name(job) for job in jobs)) or "none"
        if matches:
            raise NotFoundError(f"model {model_name!r} is ambiguous", hint=f"known models: {known}")
        hint = f"known models: {known}; that of a job that was just applied comes with the next heartbeat, in a moment"
        raise NotFoundError(f"model {model_name!r} is not served here", hint=hint)

    def name(self, job: ServedJob) -> str:
        """The shortest name that finds a job."""
        alone = sum(other.key.name == job.key.name for other in self.all()) == 1
        return job.key.name if alone else f"{job.key.namespace}.{job.key.name}"
