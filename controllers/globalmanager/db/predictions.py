"""What further models said of samples: a teacher, or a later model than the one whose prediction came with a sample."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.label_tables import SamplePrediction
from globalmanager.db.label_values import PredictionSource, StoredPrediction
from globalmanager.db.queue_ranks import disagreement_of, ranks_of
from globalmanager.db.sample_rows import find_row
from sedna.algorithms.active_learning import recorded_class
from sedna.common.errors import NotFoundError
from sedna.common.types import Prediction, SampleRecord


def store(session: Session, job_id: int, sample_id: str, said: StoredPrediction, now: datetime) -> None:
    """Keep what a model says of a sample, and rank the sample by the newest model's word.

    A second word of the same model replaces the first.

    Raises:
        NotFoundError: the job has no such sample.
    """
    sample = find_row(session, job_id, sample_id)
    if sample is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    row = session.get(SamplePrediction, (sample.id, said.source.value, said.version))
    if row is None:
        row = SamplePrediction(job_id=job_id, sample_pk=sample.id, source=said.source.value, version=said.version)
        session.add(row)
    row.prediction = said.prediction.model_dump(mode="json")
    row.created_at = now
    session.flush()
    recorded = SampleRecord.model_validate(sample.record)
    all_said = of_sample(session, sample.id)
    models = [one for one in all_said if one.source is PredictionSource.MODEL]
    newest = max(models, key=lambda one: one.version, default=None)
    if newest is not None and newest.version >= recorded.model_version:
        for column, value in ranks_of(newest.prediction).items():
            setattr(sample, column, value)
    if not sample.answers:  # people's votes say more
        known = [] if recorded.prediction == Prediction() else [recorded.prediction]
        sample.rank_disagreement = disagreement_of(
            [recorded_class(prediction) for prediction in (*known, *(one.prediction for one in all_said))]
        )
    session.flush()


def of_sample(session: Session, sample_pk: int) -> tuple[StoredPrediction, ...]:
    """What further models said of a sample, by source and version."""
    query = select(SamplePrediction).where(SamplePrediction.sample_pk == sample_pk)
    return tuple(
        StoredPrediction(
            source=PredictionSource(row.source),
            version=row.version,
            prediction=Prediction.model_validate(row.prediction),
        )
        for row in session.scalars(query.order_by(SamplePrediction.source, SamplePrediction.version))
    )
