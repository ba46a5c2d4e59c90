"""The worker runtime seam: where training and evaluation run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

from pydantic import Field, JsonValue

from sedna.common.types import JobKey, Value

Kind = Literal["train", "eval"]

TEMPORARY_EXIT = 75
"""EX_TEMPFAIL: how a worker says that the same attempt may succeed later."""


class WorkerSpec(Value):
    """What to run. ``name`` is unique for ever: starting the same name twice gives one worker."""

    name: str
    job: JobKey
    round: int
    attempt: int
    kind: Kind
    template: dict[str, JsonValue] | None = Field(description="PodTemplateSpec; None = the built-in worker")
    env: dict[str, str] = Field(description="the worker contract; wins over the template's own")
    work_dir: Path = Field(description="its own folder, already there; the runtime keeps its notes in it")
    timeout_seconds: float
    memory_mib: int | None = None
    threads: int | None = None


class WorkerHandle(Value):
    """How a runtime finds a worker again, also in another process."""

    name: str
    place: dict[str, str] = Field(default_factory=dict)


class RunPhase(StrEnum):
    """Where a worker is. Lost: it ended, and nobody knows how."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    LOST = "Lost"


class RunUsage(Value):
    """Seconds of processor time and peak resident bytes of the worker with its children, so far."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


class WorkerStatus(Value):
    """What a runtime knows about a worker. ``reason`` and ``log_tail`` are filled when it did not succeed."""

    phase: RunPhase
    exit_code: int | None = None
    reason: str = ""
    retryable: bool = False
    usage: RunUsage | None = None
    log_tail: str = ""


class WorkerRuntime(Protocol):
    """Starts and watches workers. They outlive the process that started them."""

    def handle(self, name: str, work_dir: Path) -> WorkerHandle:
        """How a worker of this name and folder is found, started or not. Does nothing."""
        ...

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        """Start a worker, or find the one that was started under this name.

        Raises:
            SpecError: the template asks for something that this runtime cannot do.
            TemporaryError: there is no room right now.
        """
        ...

    def adopt(self, handle: WorkerHandle) -> bool:
        """Whether the runtime still knows a worker that an earlier process started."""
        ...

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """What is known now. Never waits."""
        ...

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        """Ask a worker to end, and make it end after ``grace_seconds``. Does not wait; harmless when it has ended."""
        ...
