"""The spool's value objects."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sedna.common.types import SampleRecord

__all__ = ["DropPolicy", "JobSpoolCounts", "RefusedSample", "SpoolEntry", "SpoolState", "SpoolStats"]


class DropPolicy(StrEnum):
    """What gives way when a new sample does not fit into the quota. Every sample given up is counted and logged."""

    REJECT_NEW = "reject-new"
    """Nothing that is on the disk is deleted; the new sample is refused."""

    DROP_OLDEST_AUDIT_FIRST = "drop-oldest-audit-first"
    """First samples that can no longer be uploaded (refused, damaged), then audit samples, always the oldest; hard
    samples never, so that a spool full of hard samples refuses the new one."""


class SpoolState(StrEnum):
    """Where a sample is. ``uploading`` lives in memory only: after a restart such a sample is pending again."""

    PENDING = "pending"
    UPLOADING = "uploading"
    DONE = "done"
    REJECTED = "rejected"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A sample that waits for upload. ``path`` holds its bytes; ``attempts`` failed before."""

    seq: int
    record: SampleRecord
    path: Path
    attempts: int


@dataclass(frozen=True, slots=True)
class RefusedSample:
    """A sample that will not be uploaded; ``path`` may be gone if that is why."""

    record: SampleRecord
    path: Path
    state: SpoolState
    reason: str


@dataclass(frozen=True, slots=True)
class JobSpoolCounts:
    """Counts of one job since the spool was made (they survive restarts), and its bytes on disk now."""

    spooled: int = 0
    uploaded: int = 0
    rejected: int = 0
    damaged: int = 0
    dropped: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class SpoolStats:
    """The whole spool now."""

    pending: int
    uploading: int
    rejected: int
    damaged: int
    bytes: int
    quota_bytes: int
    oldest_pending_at: str | None
    """ISO 8601 time at which the oldest waiting sample was added; None when nothing waits."""
