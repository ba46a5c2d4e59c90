"""The worker runtime seam: where training and evaluation run."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

from pydantic import Field

from sedna.common.errors import PermanentError, TemporaryError
from sedna.common.types import JobKey, Value
from sedna.core.staging.order import WorkOrder

LOST = "WorkerLost"
"""Cause of a worker that was lost with its service, its machine or its container, and is not to blame."""

TEMPORARY_EXIT = 75
"""EX_TEMPFAIL: how a worker says that the same attempt may succeed later."""


class WorkerWaitsError(TemporaryError):
    """A worker cannot be started now, for a reason of its surroundings; no attempt is used up by it.

    Args:
        cause: that reason in one CamelCase word, such as QuotaExceeded.
    """

    def __init__(self, message: str, *, cause: str, where: str = "", hint: str = "", retry_after: float = 10.0) -> None:
        self.cause = cause
        super().__init__(message, where=where, hint=hint, retry_after=retry_after)


class WorkerRefusedError(PermanentError):
    """A worker can never be started as it is described.

    Args:
        cause: why, in one CamelCase word, such as NamespaceTerminating.
    """

    def __init__(self, message: str, *, cause: str, where: str = "", hint: str = "") -> None:
        self.cause = cause
        super().__init__(message, where=where, hint=hint)


class WorkerSpec(Value):
    """What to run. The worker's name is unique for ever: starting the same order twice gives one worker.

    How store and service are reached from the machine that runs it is the runtime's business.
    """

    order: WorkOrder
    token: str | None = Field(
        default=None,
        repr=False,
        description="of this attempt, for the service's worker routes; none where the runtime is not local",
    )
    owner_uid: str | None = Field(default=None, description="uid of the custom resource of the job, if it has one")
    credentials: tuple[str, ...] = Field(
        default=(), description="credentialName of the job, its Dataset and its Models, in this order, each once"
    )


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
    """What a runtime knows about a worker. ``reason`` and ``log_tail`` are filled when it did not succeed.

    Of a running one ``cause`` and ``reason`` say what it waits for, such as Unschedulable and the scheduler's message;
    both are empty when it works. A cause without a reason is a matter of course, such as Starting, and not worth a
    message; the time limit does not count it either.

    Two more may be said of a running one. ``ends_as``: it cannot go on, and how it will have ended; `stop` is to be
    asked for once that is recorded, since nothing may be left afterwards that tells it. ``gives_way``: it could not
    begin, and `start` is to be asked for again, which takes away what is there and says how long to wait.
    """

    phase: RunPhase
    exit_code: int | None = None
    cause: str = Field(default="", description="the reason in one CamelCase word, such as OOMKilled")
    reason: str = ""
    retryable: bool = False
    usage: RunUsage | None = None
    log_tail: str = ""
    ends_as: WorkerStatus | None = None
    gives_way: bool = False


class LogPart(Value):
    """A part of a worker's output, as it wrote it. ``offset``: how many bytes came before ``data``."""

    data: bytes
    offset: int = 0

    @property
    def next_offset(self) -> int:
        """Where the next part begins."""
        return self.offset + len(self.data)


class WorkerRuntime(Protocol):
    """Starts and watches workers. They outlive the process that started them.

    ``runs_images``: whether the image of a template is used, with all that it brings. ``is_local``: whether workers run
    on the machine of the service: they get their token at the start and fill its disk. Elsewhere a worker's machine
    says by itself who it is.
    """

    runs_images: bool
    is_local: bool

    def handle(self, name: str, job: JobKey) -> WorkerHandle:
        """How a worker of this name is found, started or not. Does nothing."""
        ...

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        """Start a worker, or find the one that was started under this name.

        Raises:
            SpecError: the template asks for something that this runtime cannot do.
            WorkerRefusedError: it can never be started where it belongs.
            WorkerWaitsError: what it needs is not there yet.
            TemporaryError: there is no room right now.
        """
        ...

    def adopt(self, handle: WorkerHandle) -> bool:
        """Whether the runtime still knows a worker that an earlier process started."""
        ...

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """What is known now, and the same again until somebody acts on it. Looks only, and never waits."""
        ...

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        """Ask a worker to end, and make it end after ``grace_seconds``. Does not wait; harmless when it has ended.

        Of one that is not local asked too once its end is recorded: what runs on beside it then, such as a container of
        others, ends with it.
        """
        ...

    def read_log(self, handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        """At most ``max_bytes`` of what the worker wrote, from ``offset`` on, or from the oldest that is kept.

        A negative ``offset`` counts from the end. Empty for a worker that wrote nothing or is not known.
        """
        ...

    def forget(self, handle: WorkerHandle) -> None:
        """Delete what is left of a worker that has ended, its log too; harmless when that was done, or it runs."""
        ...
