"""What the repositories of the labelling service return: frozen, detached from any session."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from sedna.common.types import Annotation, Picked, Prediction, Value


class LabelSource(StrEnum):
    """Where a label comes from."""

    PERSON = "person"
    IMPORT = "import"
    ORACLE = "oracle"
    TEACHER = "teacher"
    CONSENSUS = "consensus"
    REVIEW = "review"


class LabelState(StrEnum):
    """How far the labelling of a sample is."""

    WAITING = "waiting"
    ANSWERED = "answered"
    """Some of the people that it needs have answered."""
    SETTLED = "settled"
    REVIEW = "review"
    BAD = "bad"


class AnswerKind(StrEnum):
    """What an answer says."""

    BOXES = "boxes"
    CLASS = "class"
    NOTHING = "nothing"
    UNSURE = "unsure"
    BAD = "bad"


class ReviewReason(StrEnum):
    """Why a sample waits for somebody who decides."""

    DISAGREEMENT = "disagreement"
    UNSURE = "unsure"
    LABEL_ERROR = "label_error"


class DraftBox(Value):
    """A box while it is being drawn: it may have no area yet, and no class."""

    x1: float
    y1: float
    x2: float
    y2: float
    label: int | None = None
    score: float | None = None


class DraftAnnotation(Value):
    """What somebody has drawn so far."""

    boxes: tuple[DraftBox, ...] = ()
    label: int | None = None


class Draft(Value):
    """An answer that is not given yet."""

    kind: AnswerKind | None = Field(default=None, description="what it will be; null: not said yet")
    annotation: DraftAnnotation = DraftAnnotation()
    base_revision: int = Field(default=0, ge=0, description="the task's revision when it was drawn")


class Task(Value):
    """A sample as somebody who labels it needs it. ``id`` is its row, ``label_seq`` its current label."""

    id: int
    sample_id: str
    extension: str
    width: int
    height: int
    picked: Picked
    prediction: Prediction
    model_version: int
    part: str | None
    excluded: bool
    label_seq: int | None
    label_state: LabelState
    answers: int

    @property
    def revision(self) -> int:
        """What changes with the label: its number, 0 = none."""
        return self.label_seq or 0

    def wanted(self, annotators: int) -> int:
        """How many people answer it: who labels a settled one again replaces its label alone."""
        return annotators if self.label_seq is None else 1


class ClaimRow(Value):
    """What a person has to do with a sample."""

    sample_pk: int
    person: str
    base_seq: int
    expires_at: datetime | None
    draft: Draft | None
    skipped_at: datetime | None

    def holds(self, task: Task, now: datetime) -> bool:
        """Whether the sample is kept for the person; a lease on a sample with another label is void."""
        return self.expires_at is not None and self.expires_at > now and self.base_seq == task.revision


class AnswerRow(Value):
    """What a person said of a sample. ``open``: it counts there and has settled nothing yet."""

    id: int
    sample_pk: int
    open: bool
    person: str
    kind: AnswerKind
    annotation: Annotation | None
    shown_version: int | None
    seconds: float
    undoes: int
    body_sha256: str
    created_at: datetime
    label_seq: int | None
    withdrawn_at: datetime | None


class ReviewRow(Value):
    """Why a sample waits for a decision."""

    id: int
    sample_pk: int
    reason: ReviewReason
    sentence: str
    agreement: float | None
    created_at: datetime


class PredictionSource(StrEnum):
    """Whose word a prediction is."""

    MODEL = "model"
    """A version of the job's model."""
    TEACHER = "teacher"
    """Another model, which is no version of the job's."""


class StoredPrediction(Value):
    """What a model said besides the one whose prediction came with the sample."""

    source: PredictionSource
    version: int = Field(ge=0, le=10**9, description="of the job's model; of a teacher any number")
    prediction: Prediction
