"""Rows of samples and labels as the values that leave the database."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.columns import storable
from globalmanager.db.label_values import LabelSource
from globalmanager.db.tables import Job, Label, Sample
from globalmanager.db.values import LabelRow, SampleRow
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, Verdict


def locked_job(session: Session, job_id: int) -> Job:
    """The job's row, locked: its counters give numbers out in commit order."""
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
    if job is None:
        raise NotFoundError("there is no such job", where=f"job row {job_id}")
    return job


def find_row(session: Session, job_id: int, sample_id: str) -> Sample | None:
    """The row of a sample, or None."""
    return session.scalar(select(Sample).where(Sample.job_id == job_id, Sample.sample_id == sample_id))


def label_of(session: Session, sample: Sample) -> LabelRow | None:
    """The current label of a sample, or None."""
    if sample.label_seq is None:
        return None
    label = session.scalar(select(Label).where(Label.job_id == sample.job_id, Label.seq == sample.label_seq))
    return None if label is None else build_label(label)


def verdict_columns(verdict: Verdict) -> dict[str, str | float | None]:
    """The columns by which lists find what a miner said."""
    return {"miner": storable(verdict.miner)[:253], "score": storable(verdict.score)}


def build_label(row: Label) -> LabelRow:
    """A label."""
    return LabelRow(
        seq=row.seq,
        annotation=Annotation.model_validate(row.annotation),
        author=row.author,
        source=LabelSource(row.source),
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
    )


def build(row: Sample, label: LabelRow | None) -> SampleRow:
    """A sample with its current label."""
    return SampleRow.model_validate(
        {
            "id": row.id,
            "record": row.record,
            "source": row.source,
            "received_at": row.received_at,
            "label": label,
            "labelled_at": row.labelled_at,
            "part": row.part,
            "round_used": row.round_used,
            "excluded": row.excluded,
            "problem": row.problem,
            "problem_at": row.problem_at,
        }
    )
