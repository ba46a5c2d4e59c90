"""Labels beside what a model says of their samples that was not trained on them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.label_tables import SamplePrediction
from globalmanager.db.label_values import LabelSource, PredictionSource
from globalmanager.db.tables import Label, Sample
from sedna.common.types import Annotation, Picked, Prediction, SampleRecord, Value

__all__ = ["JudgedLabel", "is_current", "newest"]

_BATCH = 500


class JudgedLabel(Value):
    """A label, ``label_seq``, and a model's word about its sample, whose row is ``sample_pk``."""

    sample_pk: int
    label_seq: int
    sample_id: str
    width: int
    height: int
    is_holdout: bool
    annotation: Annotation
    prediction: Prediction
    version: int


def newest(session: Session, job_id: int, limit: int) -> list[JudgedLabel]:
    """Of the newest ``limit`` labels those of which a model says something that has not seen them.

    That is the model which served when the sample was taken: it was there before the sample. Of samples that no
    training takes also what a later model said. Not among them: what waits for a decision already, and what somebody
    has decided.
    """
    query = (
        select(Sample, Label.annotation)
        .join(Label, (Label.job_id == Sample.job_id) & (Label.seq == Sample.label_seq))
        .where(
            Sample.job_id == job_id,
            Sample.excluded.is_(False),
            Sample.label_state.is_(None),
            Label.source != LabelSource.REVIEW.value,
        )
        .order_by(Label.seq.desc())
        .limit(limit)
    )
    rows = [(sample, Annotation.model_validate(annotation)) for sample, annotation in session.execute(query)]
    later = _later(session, [sample.id for sample, _ in rows if sample.part != "train"])
    found = []
    for sample, annotation in rows:
        record = SampleRecord.model_validate(sample.record)
        said = later.get(sample.id)
        # What is imported was seen by no model when it came.
        if said is None and record.model_version > 0 and record.picked != Picked.IMPORT:
            said = record.model_version, record.prediction
        if said is not None:
            found.append(
                JudgedLabel(
                    sample_pk=sample.id,
                    label_seq=sample.label_seq or 0,
                    sample_id=sample.sample_id,
                    width=record.width,
                    height=record.height,
                    is_holdout=sample.part == "holdout",
                    annotation=annotation,
                    prediction=said[1],
                    version=said[0],
                )
            )
    return found


def is_current(session: Session, one: JudgedLabel) -> bool:
    """Whether it is still the sample's label, and nobody has to decide about that yet."""
    sample = session.get(Sample, one.sample_pk)
    if sample is None or sample.excluded:
        return False
    return sample.label_seq == one.label_seq and sample.label_state is None


def _later(session: Session, samples: Sequence[int]) -> dict[int, tuple[int, Prediction]]:
    """The newest word of a later model, by sample."""
    found: dict[int, tuple[int, Prediction]] = {}
    for start in range(0, len(samples), _BATCH):
        query = (
            select(SamplePrediction.sample_pk, SamplePrediction.version, SamplePrediction.prediction)
            .where(
                SamplePrediction.sample_pk.in_(samples[start : start + _BATCH]),
                SamplePrediction.source == PredictionSource.MODEL.value,
            )
            .order_by(SamplePrediction.version)
        )
        for sample, version, prediction in session.execute(query):
            found[sample] = version, Prediction.model_validate(prediction)
    return found
