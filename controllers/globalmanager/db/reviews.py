"""Samples that wait for somebody who decides."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.label_tables import LabelReview
from globalmanager.db.label_values import LabelState, ReviewReason, ReviewRow
from globalmanager.db.paging import page
from globalmanager.db.tables import Sample
from globalmanager.db.values import Page


def add(
    session: Session,
    job_id: int,
    sample_pk: int,
    reason: ReviewReason,
    sentence: str,
    now: datetime,
    *,
    agreement: float | None = None,
) -> None:
    """Let somebody decide about a sample. Its label, if it has one, counts until then."""
    row = session.scalar(select(LabelReview).where(LabelReview.sample_pk == sample_pk))
    if row is None:
        row = LabelReview(job_id=job_id, sample_pk=sample_pk, created_at=now)
        session.add(row)
    row.reason, row.sentence, row.agreement = reason.value, sentence, agreement
    session.get_one(Sample, sample_pk).label_state = LabelState.REVIEW.value
    session.flush()


def remove(session: Session, sample_pk: int) -> None:
    """Nobody has to decide any more."""
    row = session.scalar(select(LabelReview).where(LabelReview.sample_pk == sample_pk))
    if row is not None:
        session.delete(row)
    session.get_one(Sample, sample_pk).label_state = None
    session.flush()


def list_page(
    session: Session, job_id: int, reason: ReviewReason | None, *, limit: int, cursor: str | None
) -> Page[ReviewRow]:
    """What waits for a decision, the oldest first; not what was excluded meanwhile."""
    query = (
        select(LabelReview)
        .join(Sample, Sample.id == LabelReview.sample_pk)
        .where(LabelReview.job_id == job_id, Sample.excluded.is_(False))
    )
    if reason is not None:
        query = query.where(LabelReview.reason == reason.value)
    return page(session, query, LabelReview.id, _build, limit=limit, cursor=cursor, newest_first=False)


def _build(row: LabelReview) -> ReviewRow:
    return ReviewRow(
        id=row.id,
        sample_pk=row.sample_pk,
        reason=ReviewReason(row.reason),
        sentence=row.sentence,
        agreement=row.agreement,
        created_at=row.created_at,
    )
