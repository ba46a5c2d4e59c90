"""Value objects that travel between edge, cloud and workers. All are frozen; their JSON form is the wire form."""

from __future__ import annotations

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, NewType

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

SampleId = NewType("SampleId", str)
"""Lower-case hex sha256 of a sample's bytes: the same bytes are the same sample, on every edge and for ever."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
"""A Kubernetes object name (RFC 1123 subdomain)."""

MAX_LABEL = 99_999
"""Largest class number. A job without class names counts its classes up to the largest label: a slip of the keyboard
must not make it count to a billion."""

ORIENTATION_META = "exif_orientation"
"""Key of ``SampleRecord.meta``: the EXIF orientation by which the picture was turned before it was looked at."""

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


def sample_id(data: bytes) -> SampleId:
    """The id of a sample: the sha256 of its bytes."""
    return SampleId(hashlib.sha256(data).hexdigest())


class Value(BaseModel):
    """Base of all value objects: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class JobKey(Value):
    """Which job: namespace and name, unique within a service."""

    namespace: Name = "default"
    name: Name

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Box(Value):
    """An axis-aligned box in absolute pixels, x2 and y2 exclusive; ``label`` indexes the job's class list."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: int = Field(ge=0, le=MAX_LABEL)
    score: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def _has_area(self) -> Box:
        if not (self.x2 > self.x1 and self.y2 > self.y1):
            raise ValueError(
                f"box [{self.x1}, {self.y1}, {self.x2}, {self.y2}] has no area: x2 must exceed x1 and y2 exceed y1"
            )
        return self


class Annotation(Value):
    """What a sample shows. An empty ``boxes`` is a statement (nothing there), not a missing label.

    ``label`` is set for whole-image classification and None for detection.
    """

    boxes: tuple[Box, ...] = ()
    label: int | None = Field(default=None, ge=0, le=MAX_LABEL)

    @property
    def classes(self) -> frozenset[int]:
        """Every class that it names."""
        return frozenset([box.label for box in self.boxes] + ([] if self.label is None else [self.label]))


class Prediction(Value):
    """What a model answered for one sample."""

    boxes: tuple[Box, ...] = ()
    probabilities: tuple[float, ...] | None = None
    label: int | None = None


class Verdict(Value):
    """A miner's answer for one prediction, with what it was based on."""

    hard: bool
    miner: str
    score: float | None = None
    threshold: float | None = None
    reason: str


class Picked(StrEnum):
    """Why a sample was kept."""

    HARD = "hard"
    AUDIT = "audit"
    IMPORT = "import"


class SampleRecord(Value):
    """The sidecar of a sample: everything known about it when it left the edge."""

    sample_id: Sha256
    job: JobKey
    extension: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,8}$")]
    size: int = Field(ge=1, description="bytes")
    width: int = Field(ge=1, description="pixels")
    height: int = Field(ge=1, description="pixels")
    picked: Picked
    verdict: Verdict
    prediction: Prediction
    model_version: int = Field(ge=0, description="0 = unknown")
    edge: str
    captured_at: datetime
    meta: dict[str, Any] = Field(default_factory=dict, description="free form, carried along unread")
