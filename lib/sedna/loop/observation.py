"""What an engine saw, in one consistent snapshot. Levels, not edges: seeing the same thing twice is harmless."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field, JsonValue

from sedna.common.types import Value
from sedna.loop.evidence import Evaluation
from sedna.loop.state import RoundKind, Stage


class SampleCounts(Value):
    """Labelled samples that no completed round has used yet, by share, and what waits for a label."""

    train_new: int = Field(default=0, ge=0)
    eval_new: int = Field(default=0, ge=0)
    train_total: int = Field(default=0, ge=0, description="all labelled samples of the training share")
    unlabelled: int = Field(default=0, ge=0)
    oldest_new_at: datetime | None = Field(default=None, description="when the oldest unused sample was labelled")


class AuditMetrics(Value):
    """The model in service on labelled, randomly picked samples that it answered itself."""

    samples: int = Field(ge=0)
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


class ManualRequest(Value):
    """Somebody asks for a round. ``version`` names the model of a deploy request (none = the last candidate)."""

    id: str
    action: RoundKind
    reason: str
    requested_by: str = ""
    version: int | None = None
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


class WorkerPhase(StrEnum):
    """The life of a worker."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class WorkerObservation(Value):
    """The newest worker of a stage. A success carries its result, already stored: a candidate or an evaluation."""

    round: int
    stage: Literal[Stage.TRAINING, Stage.EVALUATING]
    attempt: int
    phase: WorkerPhase
    candidate: int | None = None
    error: str | None = None
    retryable: bool = Field(default=False, description="a further attempt may succeed: temporary error or lost worker")
    lost: bool = Field(default=False, description="with what it ran on: its service, its machine or its container")
    waits: bool = Field(default=False, description="for something around it, such as a machine: its time stands still")
    working_since: datetime | None = Field(default=None, description="since when it no longer waits, if it ever did")


class EdgeObservation(Value):
    """One edge. ``live``: heard of recently, or it may yet be: ``heard`` is False while nothing came from it since
    the engine listens. ``failed_version``: a model it tried and rolled back by itself.
    """

    name: str
    live: bool
    heard: bool = True
    version: int | None = None
    failed_version: int | None = None
    reason: str = ""


class Observation(Value):
    """The whole snapshot."""

    samples: SampleCounts = SampleCounts()
    audit: AuditMetrics | None = None
    request: ManualRequest | None = Field(default=None, description="the oldest one without an answer")
    worker: WorkerObservation | None = None
    evaluation: Evaluation | None = Field(default=None, description="stored result of the current round, when Judging")
    edges: tuple[EdgeObservation, ...] = ()
    listening_since: datetime | None = Field(default=None, description="since when edges are heard; none = always")
    initial_model: int | None = Field(default=None, description="version of the initial model once it is stored")
    known_models: frozenset[int] = Field(default=frozenset(), description="versions that can be deployed")
    deleted: bool = Field(default=False, description="the job was taken out of service: nothing begins any more")
