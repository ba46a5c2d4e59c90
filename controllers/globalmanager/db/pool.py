"""The unlabelled pool of a job: samples that a person could label, or that an algorithm can learn from as they are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.tables import Sample
from sedna.common.types import Prediction, Value


class PooledSample(Value):
    """The fields of a sample that a choice among many needs."""

    sample_id: str
    extension: str
    edge: str
    received_at: datetime
    prediction: Prediction


def newest(session: Session, job_id: int, limit: int) -> list[PooledSample]:
    """The newest ``limit`` samples that have no label, in the order in which they arrived; never those held out."""
    query = (
        select(Sample.sample_id, Sample.extension, Sample.edge, Sample.received_at, Sample.record)
        .where(
            Sample.job_id == job_id,
            Sample.labelled_at.is_(None),
            # Distinct and not unequal: a sample without a part has NULL there, which is unequal to nothing.
            Sample.part.is_distinct_from("holdout"),
            Sample.excluded.is_(False),
            Sample.problem.is_(None),
        )
        .order_by(Sample.id.desc())
        .limit(limit)
    )
    found = [
        PooledSample(
            sample_id=name,
            extension=extension,
            edge=edge,
            received_at=received,
            prediction=Prediction.model_validate(record["prediction"]),
        )
        for name, extension, edge, received, record in session.execute(query)
    ]
    return found[::-1]
