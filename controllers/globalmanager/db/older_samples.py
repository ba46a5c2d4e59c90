"""What a program of before has stored, filled in: columns and rows that follow from a sample's record and its labels.

In batches, with other writers in between: a migration that did it would keep them all waiting. The mark of a sample
that is not filled in is that its ``predicted`` is NULL. During a rolling upgrade such samples also arrive.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from globalmanager.db import sample_checks
from globalmanager.db.label_values import LabelSource
from globalmanager.db.queue_ranks import ranks_of
from globalmanager.db.sample_rows import verdict_columns
from globalmanager.db.tables import Label, Sample
from sedna.common.types import Annotation, SampleRecord


def are_there(session: Session, job_id: int) -> bool:
    """Whether samples of the job are not filled in. It costs next to nothing where none are."""
    return session.scalar(select(Sample.id).where(*_unfilled(job_id)).limit(1)) is not None


def fill_some(session: Session, job_id: int, limit: int) -> None:
    """Fill in ``limit`` of them, the oldest first.

    Args:
        limit: at most 500.
    """
    rows = session.scalars(select(Sample).where(*_unfilled(job_id)).order_by(Sample.id).limit(limit)).all()
    _name_sources(session, [row.id for row in rows])
    current = _current_labels(session, job_id, rows)
    found = [(row, SampleRecord.model_validate(row.record), current.get(row.label_seq)) for row in rows]
    sample_checks.filled_in(session, found)
    for row, record, _ in found:
        for column, value in (verdict_columns(record.verdict) | ranks_of(record.prediction)).items():
            setattr(row, column, value)
    session.flush()


def _unfilled(job_id: int) -> tuple[ColumnElement[bool], ...]:
    return Sample.job_id == job_id, Sample.predicted.is_(None)


def _current_labels(session: Session, job_id: int, rows: Sequence[Sample]) -> dict[int | None, Annotation]:
    seqs = [row.label_seq for row in rows if row.label_seq is not None]
    query = select(Label.seq, Label.annotation).where(Label.job_id == job_id, Label.seq.in_(seqs))
    return {seq: Annotation.model_validate(said) for seq, said in session.execute(query)}


def _name_sources(session: Session, samples: Sequence[int]) -> None:
    """Say of labels where they come from, as far as their authors tell it: what an import over the API brought has a
    person's name, and stays a person's."""
    imported = or_(Label.author.startswith("dataset/"), Label.author == "sedna repair")
    for source, condition in ((LabelSource.ORACLE, Label.author == "oracle"), (LabelSource.IMPORT, imported)):
        session.execute(
            update(Label)
            .where(Label.sample_pk.in_(samples), Label.source == LabelSource.PERSON.value, condition)
            .values(source=source.value)
        )
