"""Take in what further models say of samples: a teacher before people label, or a later model of the job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from globalmanager.db import Database, jobs, predictions, queue
from globalmanager.db.database import Session
from globalmanager.db.label_values import PredictionSource, StoredPrediction
from globalmanager.db.values import JobRow
from sedna.common.errors import DataError
from sedna.common.types import JobKey, Prediction, Sha256, Value
from sedna.labels.items import ImageLabels
from sedna.labels.validate import RawBox

__all__ = ["GivenPrediction", "PredictionsStored", "store_predictions"]

_BATCH = 200
"""Samples of one transaction: labels and uploads come in between."""


class GivenPrediction(Value):
    """What a model says of a sample."""

    sample_id: Sha256
    source: PredictionSource = Field(description="model: a version of the job's; teacher: any other")
    version: int = Field(ge=0, le=10**9, description="of the job's model; of a teacher any number, larger is newer")
    prediction: Prediction = Field(description="boxes with scores, or probabilities of the classes")


class PredictionsStored(Value):
    """How many predictions were stored."""

    stored: int


def store_predictions(db: Database, key: JobKey, given: Sequence[GivenPrediction], now: datetime) -> PredictionsStored:
    """Store predictions: suggestions to people from now on, and where samples stand in the queue follows from them.

    Boxes are cut at the edge of the image. The same model's word again replaces the first.

    Raises:
        NotFoundError: there is no such job, or it has no such sample; predictions before that one are stored.
        DataError: a class is not one of the job's, or a box lies outside its image; likewise.
    """
    for start in range(0, len(given), _BATCH):
        with db.write() as session:
            job = jobs.get(session, key)
            for one in given[start : start + _BATCH]:
                said = StoredPrediction(source=one.source, version=one.version, prediction=_checked(session, job, one))
                predictions.store(session, job.id, one.sample_id, said, now)
    return PredictionsStored(stored=len(given))


def _checked(session: Session, job: JobRow, one: GivenPrediction) -> Prediction:
    task = queue.task(session, job.id, one.sample_id)
    said = one.prediction
    classes = len(job.spec.class_names)
    if classes and said.probabilities is not None and len(said.probabilities) != classes:
        text = f"{len(said.probabilities)} probabilities for {classes} classes"
        raise DataError(text, where=f"sample {one.sample_id}", hint="one for each of classNames")
    labels = ImageLabels(tuple(RawBox.of(box) for box in said.boxes), said.label)
    size = (task.width, task.height)
    checked = labels.checked(size, job.spec.class_names, where=f"sample {one.sample_id}", mode="clip")
    if checked.refused:
        raise checked.refused[0]
    boxes = () if checked.annotation is None else checked.annotation.boxes
    return said.model_copy(update={"boxes": boxes})
