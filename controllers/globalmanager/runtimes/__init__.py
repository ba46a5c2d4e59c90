"""Where workers run: the seam, and its implementation with local processes."""

from globalmanager.runtimes.base import LogPart, RunPhase, WorkerHandle, WorkerRuntime, WorkerSpec, WorkerStatus
from globalmanager.runtimes.process import ProcessRuntime

__all__ = ["LogPart", "ProcessRuntime", "RunPhase", "WorkerHandle", "WorkerRuntime", "WorkerSpec", "WorkerStatus"]
