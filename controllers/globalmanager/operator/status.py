"""``status`` of the custom resources: what `kubectl get`, `describe` and `wait` show. `deploy/crds` is made from it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AliasGenerator, BaseModel, ConfigDict, Field, computed_field
from pydantic.alias_generators import to_camel

__all__ = ["Condition", "ConditionType", "DatasetStatus", "JobStatus", "ModelStatus", "RoundStatus", "TriggerAnswer"]

ROUNDS_SHOWN = 10
"""Of the newest rounds; all of them are in the service. An object may have 1.5 MB, and every write sends it whole."""

MESSAGE_CHARS = 1024
"""Of any text in the status."""


class StatusModel(BaseModel):
    """camelCase outside. What upstream's manager left in a status is not read."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        alias_generator=AliasGenerator(validation_alias=to_camel, serialization_alias=to_camel),
    )


class ConditionType(StrEnum):
    """Each is good news when true, apart from Degraded, which is there only while it is true."""

    READY = "Ready"
    PROGRESSING = "Progressing"
    TRAINING_COMPLETE = "TrainingComplete"
    EVALUATION_PASSED = "EvaluationPassed"
    DEPLOYED = "Deployed"
    DEGRADED = "Degraded"


class Condition(StatusModel):
    """One condition; the list is a map by type."""

    type: str = Field(description="Ready, Progressing, TrainingComplete, EvaluationPassed, Deployed or Degraded.")
    status: Literal["True", "False", "Unknown"] = Field(description="True, False or Unknown.")
    observed_generation: int | None = Field(default=None, description="metadata.generation that it speaks of.")
    last_transition_time: datetime | None = Field(default=None, description="When the status changed last.")
    reason: str | None = Field(default=None, description="One CamelCase word for programs.")
    message: str | None = Field(default=None, max_length=MESSAGE_CHARS, description="A sentence for people.")


class RoundStatus(StatusModel):
    """One round, the newest first in the list."""

    round: int = Field(description="Number of the round.")
    kind: str = Field(description="train, eval or deploy.")
    reason: str = Field(default="", description="Why it was started.")
    stage: str = Field(default="", description="Training, Evaluating, Judging or Deploying: where it is or ended.")
    outcome: str | None = Field(default=None, description="Deployed, Rejected, Inconclusive or Failed; none = it runs.")
    message: str = Field(default="", description="Why it ended so.")
    candidate: int | None = Field(default=None, description="Model version that it made or looked at.")
    champion: int | None = Field(default=None, description="Model version that was in service.")
    samples: int | None = Field(default=None, description="Labelled samples of its dataset version.")
    metric: str | None = Field(default=None, description="What the gate compared, such as f1.")
    candidate_metric: float | None = Field(default=None, description="The candidate's.")
    champion_metric: float | None = Field(default=None, description="The model's in service.")
    started_at: datetime | None = Field(default=None, description="When it began.")
    ended_at: datetime | None = Field(default=None, description="When it ended.")


class SampleCounts(StatusModel):
    """How many samples the job has."""

    total: int = Field(default=0, description="All that arrived.")
    labelled: int = Field(default=0, description="With a label.")
    unlabelled: int = Field(default=0, description="Waiting for one.")
    train: int = Field(default=0, description="Labelled, of the training share.")
    eval: int = Field(default=0, description="Labelled, of the evaluation share.")
    holdout: int = Field(default=0, description="Labelled, never trained on.")
    unused: int = Field(default=0, description="Labelled, of the training share, and in no round yet.")


class TriggerDecision(StatusModel):
    """The last time that the train trigger said something new."""

    fired: bool = Field(description="Whether it started a round.")
    reason: str = Field(description="Why, or what it waits for.")
    at: datetime | None = Field(default=None, description="When.")


class TriggerAnswer(StatusModel):
    """The answer to the newest annotation ``sedna.io/trigger``."""

    value: str = Field(description="Value of the annotation.")
    state: str = Field(description="pending, accepted or refused.")
    message: str = Field(default="", description="Why it was refused.")
    round: int | None = Field(default=None, description="The round that it became.")
    at: datetime | None = Field(default=None, description="When it was taken in.")


class EdgeCounts(StatusModel):
    """The edges that serve the job."""

    total: int = Field(default=0, description="Known to the service.")
    live: int = Field(default=0, description="Heard of lately.")
    serving_current: int = Field(default=0, description="Live, and serving the model in service.")


class JobStatus(StatusModel):
    """``status`` of an IncrementalLearningJob."""

    observed_generation: int | None = Field(default=None, description="metadata.generation that was acted on.")
    phase: str | None = Field(
        default=None, description="Waiting, Paused, Training, Evaluating, Judging, Deploying or Degraded."
    )
    conditions: tuple[Condition, ...] = Field(default=(), description="What is true of the job now, by type.")
    round: int | None = Field(default=None, description="Number of the current round, or of the last one.")
    rounds: tuple[RoundStatus, ...] = Field(
        default=(), max_length=ROUNDS_SHOWN, description="The newest rounds, the newest first."
    )
    last_outcome: str | None = Field(
        default=None, description="How the last round that ended has ended: Deployed, Rejected, Inconclusive or Failed."
    )
    samples: SampleCounts | None = Field(default=None, description="Counts of samples.")
    edges: EdgeCounts | None = Field(default=None, description="Counts of edges.")
    model: int | None = Field(default=None, description="Version of the model in service.")
    metric: str | None = Field(default=None, description="The gate's metric of the model in service, such as f1=0.831.")
    trigger: TriggerDecision | None = Field(default=None, description="The last decision of the train trigger.")
    manual_trigger: TriggerAnswer | None = Field(default=None, description="The answer to annotation sedna.io/trigger.")
    start_time: datetime | None = Field(default=None, description="When the job was taken in.")
    completion_time: datetime | None = Field(default=None, description="Upstream's; a job of ours does not end.")

    @computed_field(description="Status of condition Ready: upstream's conditions of that name are not ours.")  # type: ignore[prop-decorator]
    @property
    def ready(self) -> str | None:
        """For the column of `kubectl get`, which cannot tell upstream's ``Ready`` from ours."""
        return next((found.status for found in self.conditions if found.type == ConditionType.READY), None)

    @computed_field(description="Why it is not ready or degraded, else what it does.")  # type: ignore[prop-decorator]
    @property
    def reason(self) -> str | None:
        """The most telling reason of a condition, for the column of `kubectl get`."""
        found = {condition.type: condition for condition in self.conditions}
        ready = found.get(ConditionType.READY)
        if ready is not None and ready.status != "True":
            return ready.reason
        told = found.get(ConditionType.DEGRADED) or found.get(ConditionType.PROGRESSING) or ready
        return None if told is None else told.reason


class DatasetStatus(StatusModel):
    """``status`` of a Dataset."""

    observed_generation: int | None = Field(default=None, description="metadata.generation that was acted on.")
    number_of_samples: int | None = Field(default=None, description="Images that its jobs have imported from it.")
    update_time: datetime | None = Field(default=None, description="When that changed.")
    conditions: tuple[Condition, ...] = Field(default=(), description="What is true of it now, by type.")


class Metric(StatusModel):
    """A figure of a model, as upstream writes it."""

    key: str = Field(description="Name of the metric.")
    value: str = Field(description="Its value.")


class ModelStatus(StatusModel):
    """``status`` of a Model."""

    observed_generation: int | None = Field(default=None, description="metadata.generation that was acted on.")
    update_time: datetime | None = Field(default=None, description="When the metrics changed.")
    metrics: tuple[Metric, ...] = Field(default=(), description="Of the model in service that came from it.")
    conditions: tuple[Condition, ...] = Field(default=(), description="What is true of it now, by type.")
