"""What the repositories return: frozen, detached from any session."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import ConfigDict, Field, JsonValue

from globalmanager.db.label_values import LabelSource, LabelState
from sedna.common.types import Annotation, JobKey, Picked, SampleRecord, Value
from sedna.loop.evidence import Evaluation
from sedna.loop.observation import WorkerPhase
from sedna.loop.spec import JobSpec
from sedna.loop.state import JobState, Outcome, RoundKind, Stage
from sedna.loop.triggers import pause_of
from sedna.loop.verdict import Decision, GateVerdict

T = TypeVar("T")

Part = Literal["train", "eval", "holdout"]
Role = Literal["admin", "labeller", "viewer", "edge", "worker"]
Level = Literal["info", "warning", "error"]


class Page(Value, Generic[T]):
    """One page of a list; ``next`` is the cursor of the following page, or None at the end."""

    items: tuple[T, ...]
    next: str | None = None


class SampleTotals(Value):
    """How many samples a job has, by what became of them."""

    samples: int
    labelled: int
    train: int
    eval: int
    holdout: int

    @property
    def unlabelled(self) -> int:
        """Samples without any label."""
        return self.samples - self.labelled


class JobRow(Value):
    """A job with its state. ``seq`` is the version of ``state``: a write names the one it was computed from."""

    id: int
    key: JobKey
    spec: JobSpec
    metadata: dict[str, Any]
    generation: int
    state: JobState
    seq: int
    totals: SampleTotals
    found_classes: tuple[str, ...] = Field(
        default=(), description="classes by their numbers, as label files brought them; of a job without classNames"
    )
    degraded: str | None
    degraded_at: datetime | None
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the labels of the job are called, as far as that is known."""
        return self.spec.class_names or self.found_classes

    @property
    def phase(self) -> str:
        """One word for people: Degraded, the stage of the current round, Paused, or Waiting."""
        if self.degraded is not None:
            return "Degraded"
        if self.state.current is not None:
            return self.state.current.stage.value
        return "Waiting" if self.paused is None else "Paused"

    @property
    def paused(self) -> str | None:
        """Who keeps it from beginning rounds, and why."""
        return pause_of(self.spec, self.state)


class ResourceRow(Value):
    """A Dataset or a Model as it was applied."""

    kind: Literal["Dataset", "Model"]
    key: JobKey
    spec: dict[str, Any]
    metadata: dict[str, Any]
    generation: int
    created_at: datetime
    updated_at: datetime


class LabelRow(Value):
    """One label in the history of a sample."""

    seq: int
    annotation: Annotation
    author: str
    source: LabelSource = Field(description="a person, an import, the oracle, a teacher, several people, or a review")
    created_at: datetime
    withdrawn_at: datetime | None = Field(default=None, description="taken back before any dataset version held it")


class SampleRow(Value):
    """A sample. ``label`` is the current one; ``round_used`` the round that took it, None while it is unused."""

    id: int
    record: SampleRecord
    source: str | None = Field(default=None, description="file name in the dataset it was imported from")
    received_at: datetime
    label: LabelRow | None
    labelled_at: datetime | None
    part: Part | None
    round_used: int | None
    excluded: bool = Field(default=False, description="it was taken out: nothing new learns from it or is judged by it")
    problem: str | None = Field(
        default=None, description="what is wrong with its bytes in the store; uploading it again repairs them"
    )
    problem_at: datetime | None = None


class ExclusionRow(Value):
    """That a sample was taken out, by whom and why; ``ended``: it was taken in again."""

    sample_id: str
    deleted: bool = Field(description="its bytes were deleted")
    reason: str
    author: str
    created_at: datetime
    ended: bool = False


class CheckRow(Value):
    """Whether a model is right about a sample."""

    version: int
    round: int | None = Field(description="whose evaluation has found it; null: its answer at the edge tells it")
    right: bool


class SampleStory(Value):
    """Everything that happened to one sample."""

    sample: SampleRow
    labels: tuple[LabelRow, ...]
    exclusions: tuple[ExclusionRow, ...] = ()
    dataset_versions: tuple[int, ...] = Field(description="that hold it")
    models: tuple[int, ...] = Field(description="trained on a dataset version that holds it in its training share")
    rounds: tuple[int, ...] = Field(default=(), description="that have trained these models")
    checked: tuple[CheckRow, ...] = Field(default=(), description="what is known of models on it, by version")


class SamplePage(Page[SampleRow]):
    """One page of samples; ``total``: of all pages, where that was asked for."""

    total: int | None = None


class SampleFilter(Value):
    """Which samples to list; None = any."""

    picked: Picked | None = None
    labelled: bool | None = None
    part: Part | None = None
    edge: str | None = None
    excluded: bool | None = False
    problem: bool | None = None
    miner: str | None = None
    label_state: LabelState | None = None
    min_score: float | None = None
    max_score: float | None = None
    class_number: int | None = Field(default=None, description="of its label or prediction")
    round: int | None = Field(default=None, description="that took it")
    wrong_version: int | None = Field(default=None, description="a model that is wrong about it")
    since: datetime | None = Field(default=None, description="received then or later")
    until: datetime | None = Field(default=None, description="received before")


class DatasetVersionRow(Value):
    """An immutable dataset version; the manifest fields are set once it is written."""

    version: int
    parent: int | None
    round: int
    label_seq: int
    train: int
    eval: int
    holdout: int
    new: int
    manifest_key: str | None
    manifest_sha256: str | None
    created_at: datetime
    removed: int = Field(default=0, description="samples of it that were excluded or deleted since")


class DatasetVersionDetail(DatasetVersionRow):
    """A dataset version with those of its samples that were taken out since."""

    removed_samples: tuple[ExclusionRow, ...] = Field(default=(), description="the first 1000")


class ModelVersionRow(Value):
    """A published model version."""

    version: int
    parent: int | None
    round: int | None
    dataset_version: int | None
    runtime: str
    format: str
    entry: str
    manifest_sha256: str
    size: int
    metrics: dict[str, JsonValue]
    note: str
    created_at: datetime


class MetricPoint(Value):
    """The model in service after a round, and its metric as the gate has seen it."""

    round: int
    version: int
    value: float


class StageEntry(Value):
    """When a round entered a stage, or another attempt of it."""

    stage: Stage
    attempt: int
    at: datetime
    reason: str


class RoundRow(Value):
    """A round, running or finished. ``evaluation`` leaves out the per-sample rows; those are in the store."""

    round: int
    kind: RoundKind
    reason: str
    stage: Stage
    attempt: int
    stages: tuple[StageEntry, ...]
    outcome: Outcome | None
    outcome_reason: str
    candidate: int | None
    champion: int | None
    dataset_version: int | None
    verdict: GateVerdict | None
    evaluation: Evaluation | None
    evaluation_key: str | None
    holdout_changes: int = Field(
        default=0,
        description="labels of the frozen hold-out that were changed since its evaluation used them; 0 = it stands",
    )
    holdout_changed_by: str | None = Field(default=None, description="who made the last of these changes")
    holdout_changed_at: datetime | None = None
    started_at: datetime
    ended_at: datetime | None


class DecisionRow(Value):
    """A decision, and how often it was repeated without a difference."""

    id: int
    decision: Decision
    count: int
    at: datetime
    last_at: datetime


class WorkerUsage(Value):
    """What a worker used so far. Seconds of processor time; peak resident bytes of its process tree."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


class WorkerProgress(Value):
    """How far a worker says that it is; algorithms may say more, which is not kept."""

    model_config = ConfigDict(extra="ignore")

    iteration: int = Field(ge=0)
    max_iteration: int = Field(ge=0)
    loss: float | None = None
    eta_seconds: float | None = Field(default=None, description="until the end of the training")
    note: str = ""


class WorkerRow(Value):
    """A worker attempt and, once it ended, its result."""

    id: int
    job_id: int
    round: int
    stage: Literal[Stage.TRAINING, Stage.EVALUATING]
    attempt: int
    name: str
    phase: WorkerPhase
    handle: dict[str, str]
    champion: int | None
    report: dict[str, Any] | None
    model_version: int | None
    exit_code: int | None
    error: str | None
    cause: str = Field(description="of the error, or of what it waits for, in one CamelCase word; empty = not known")
    waiting: str = Field(description="what a worker waits for, in words; empty = it works, or will in a moment")
    working_since: datetime | None = Field(
        default=None, description="when it had what it had waited for; None = it has never waited, or still does"
    )
    retryable: bool
    usage: WorkerUsage | None
    progress: WorkerProgress | None
    created_at: datetime
    ended_at: datetime | None


class RequestState(StrEnum):
    """Where a manual request is."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class RequestRow(Value):
    """A manual request and its answer."""

    id: str
    job: JobKey
    action: RoundKind
    reason: str
    requested_by: str
    version: int | None
    parameters: dict[str, JsonValue]
    state: RequestState
    round: int | None
    message: str
    created_at: datetime
    answered_at: datetime | None


class EdgeJobRow(Value):
    """What an edge last said about a job."""

    job: JobKey
    model_version: int | None
    state: str
    failed_version: int | None
    reason: str
    counters: dict[str, JsonValue]
    at: datetime


class EdgeRow(Value):
    """A registered edge."""

    name: str
    software: str
    registered_at: datetime
    last_seen_at: datetime | None
    jobs: tuple[EdgeJobRow, ...]
    pod: str | None = Field(default=None, description="of an edge in the cluster, which goes with it")
    offline_since: datetime | None = Field(
        default=None, description="when it was heard last, once it has missed three heartbeats"
    )


class PodEdgeRow(Value):
    """An edge that is a Pod of a job."""

    name: str
    job: JobKey
    pod: str
    pod_uid: str
    registered_at: datetime
    last_seen_at: datetime | None


class TokenRow(Value):
    """A token without its secret."""

    name: str
    role: Role
    edge: str | None
    worker: str | None
    job: JobKey | None = Field(default=None, description="the only job of an edge that is a Pod")
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class SessionRow(Value):
    """Somebody who is signed in with a browser, by the token with which that began."""

    token: TokenRow
    last_seen_at: datetime
    expires_at: datetime = Field(description="if nothing more is heard from it")


class EventRow(Value):
    """Something that happened."""

    id: int
    job: JobKey | None
    at: datetime
    kind: str
    level: Level
    message: str
    data: dict[str, JsonValue]


class LeaseRow(Value):
    """Who drives the jobs. ``identity`` says which process it is; empty once the holder has given the lease back."""

    holder: str
    identity: str
    token: int
    since: datetime
    expires_at: datetime
