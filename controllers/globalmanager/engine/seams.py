"""The seams of the engine."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from globalmanager.ingest.seams import Seams
from globalmanager.runtimes.base import WorkerRuntime


@dataclass(frozen=True, kw_only=True)
class EngineSeams(Seams):
    """What every part of the engine works with: `Seams`, where workers run, and since when edges are heard by it."""

    runtime: WorkerRuntime
    listening_since: datetime | None = None
