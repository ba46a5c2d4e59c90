"""What a comparison of database and store finds, and what became of it."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from sedna.common.types import Value

__all__ = ["Finding", "Kind", "Report"]


class Kind(StrEnum):
    """What is wrong. The first four are put right, the others are told."""

    LOST_SAMPLE = "sample that the database lacks"
    LOST_RECORD = "record that the store lacks"
    NUMBERS = "numbers given out twice"
    MISSING_PICTURE = "picture that the store lacks"
    DAMAGED_PICTURE = "picture that is damaged in the store"
    UNREADABLE_SAMPLE = "sample in the store that cannot be taken"
    LEFT_OVER = "bytes of a deleted sample"
    UNKNOWN_JOB = "job that the database lacks"
    LOST_DATASET = "dataset version that the database lacks"
    MISSING_DATASET = "dataset version that the store lacks"
    LOST_MODEL = "model version that the database lacks"
    MISSING_MODEL = "model version that the store lacks"


class Finding(Value):
    """One difference. ``done``: it is put right (or, of a dry run, it would be)."""

    kind: Kind
    job: str
    what: str = Field(description="the sample, version or counter")
    message: str
    done: bool = False


class Report(Value):
    """What was compared, and every difference."""

    dry_run: bool
    jobs: int
    samples: int = Field(description="of the database")
    pictures: int = Field(description="of the store")
    findings: tuple[Finding, ...]

    @property
    def open(self) -> int:
        """Differences that stay."""
        return sum(not finding.done for finding in self.findings)
