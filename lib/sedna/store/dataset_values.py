"""The values of dataset versions, as they stand in a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from sedna.common.types import Annotation, JobKey, Picked, Sha256, Value

__all__ = [
    "DatasetCounts",
    "DatasetEntry",
    "DatasetHeader",
    "DatasetManifest",
    "DatasetPart",
    "DatasetRef",
    "Extension",
]

Extension = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")]
"""File name extension without the dot."""


class DatasetPart(StrEnum):
    """What a sample is for. A sample keeps its part in every later version."""

    TRAIN = "train"
    EVAL = "eval"
    HOLDOUT = "holdout"


class DatasetEntry(Value):
    """One labelled sample of a dataset version."""

    sample_id: Sha256
    extension: Extension
    part: DatasetPart
    annotation: Annotation
    picked: Picked
    new: bool = Field(description="whether this is the first version that holds the sample")
    round: int | None = Field(ge=1, description="the round that used the sample first; None = none so far")


class DatasetCounts(Value):
    """Samples by part, and how many of them are new in this version."""

    train: int = Field(default=0, ge=0)
    eval: int = Field(default=0, ge=0)
    holdout: int = Field(default=0, ge=0)
    new_train: int = Field(default=0, ge=0)
    new_eval: int = Field(default=0, ge=0)
    new_holdout: int = Field(default=0, ge=0)

    @classmethod
    def of(cls, entries: Iterable[DatasetEntry]) -> DatasetCounts:
        counted = Counter(name for e in entries for name in (e.part.value, f"new_{e.part.value}")[: 1 + e.new])
        return cls(**counted)


class DatasetHeader(Value):
    """First line of a manifest. It tells no time, so that writing the same version again gives the same bytes."""

    kind: Literal["sedna.dataset"] = "sedna.dataset"
    format: Literal[1] = 1
    job: JobKey
    version: int = Field(ge=1)
    parent: int | None = Field(ge=1, description="the version that this one extends; None = the first")
    class_names: tuple[str, ...] = Field(default=(), description="what labels index; empty = the job's spec tells")
    counts: DatasetCounts

    @model_validator(mode="after")
    def _later_than_parent(self) -> Self:
        if self.parent is not None and self.parent >= self.version:
            raise ValueError(f"parent {self.parent} of version {self.version}: a parent comes before")
        return self


class DatasetManifest(Value):
    """A dataset version: the header and the entries, sorted by sample id."""

    header: DatasetHeader
    entries: tuple[DatasetEntry, ...]


class DatasetRef(Value):
    """What to remember of a dataset version: where its manifest is, and what it must be."""

    job: JobKey
    version: int = Field(ge=1)
    key: str
    sha256: Sha256
    counts: DatasetCounts
