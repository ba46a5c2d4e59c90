"""A sample as the page shows it to somebody who labels it."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from globalmanager.db import predictions
from globalmanager.db.database import Session
from globalmanager.db.label_values import ClaimRow, Draft, PredictionSource, Task
from globalmanager.db.values import JobRow
from globalmanager.labelling.kinds import LabelKind, kind_of
from sedna.algorithms.active_learning import recorded_class
from sedna.common.types import Box, Picked, Prediction, Value

__all__ = ["HIDDEN_SHARE", "LabelTask", "Suggestion", "build_tasks", "suggestion_of"]

HIDDEN_SHARE = 0.1
"""Share of the ordinary samples without a suggestion: people follow what they see, so that audit samples have none, and
must not be known by that."""


class Suggestion(Value):
    """What a model says of the sample, to begin with."""

    source: PredictionSource
    version: int = Field(description="of the model, 0: not known")
    boxes: tuple[Box, ...]
    label: int | None
    score: float | None = Field(description="the probability of the class; null: not said")


class LabelTask(Value):
    """A sample that is kept for somebody until ``lease_expires_at``."""

    sample_id: str
    extension: str
    width: int
    height: int
    revision: int = Field(description="changes with the label; send it back with the answer")
    lease_expires_at: datetime
    kind: LabelKind | None = Field(description="what labels of the job say; null: not known yet")
    suggestion: Suggestion | None = Field(description="null: none, or it is hidden from you on purpose")
    draft: Draft | None = Field(description="what you have drawn of it before")


def build_tasks(session: Session, job: JobRow, held: list[tuple[ClaimRow, Task]]) -> tuple[LabelTask, ...]:
    """The samples that a person holds."""
    kind = kind_of(session, job)
    return tuple(
        LabelTask(
            sample_id=task.sample_id,
            extension=task.extension,
            width=task.width,
            height=task.height,
            revision=task.revision,
            lease_expires_at=claim.expires_at,
            kind=kind,
            suggestion=None if _is_hidden(task) else suggestion_of(session, task),
            draft=claim.draft,
        )
        for claim, task in held
        if claim.expires_at is not None
    )


def suggestion_of(session: Session, task: Task) -> Suggestion | None:
    """The best that is known: a teacher's word, a later model's, or what came with the sample."""
    stored = predictions.of_sample(session, task.id)
    teachers = [one for one in stored if one.source is PredictionSource.TEACHER]
    models = [one for one in stored if one.source is PredictionSource.MODEL and one.version >= task.model_version]
    for found in (teachers, models):
        if found:
            best = max(found, key=lambda one: one.version)
            return _suggestion(best.source, best.version, best.prediction)
    # An image of a data set comes without a model's word: that is not to say that it shows nothing.
    if task.model_version == 0 and task.prediction == Prediction():
        return None
    return _suggestion(PredictionSource.MODEL, task.model_version, task.prediction)


def _suggestion(source: PredictionSource, version: int, said: Prediction) -> Suggestion:
    probabilities = said.probabilities or ()
    label = said.label if said.label is not None or not probabilities else recorded_class(said)
    known = label is not None and 0 <= label < len(probabilities)
    return Suggestion(
        source=source,
        version=version,
        boxes=said.boxes,
        label=label,
        score=probabilities[label] if known and label is not None else None,
    )


def _is_hidden(task: Task) -> bool:
    # By the sample and not by the claim: the same for everybody, however often it is claimed.
    return task.picked is Picked.AUDIT or int(task.sample_id[-8:], 16) < HIDDEN_SHARE * 16**8
