"""Who has which sample open. A claim is a lease: it ends by itself, and a draft outlives it.

Whether somebody may have a sample is checked and noted in one transaction of `Database.write`, in which no other
writer is, of whichever process.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from globalmanager.db.label_tables import LabelClaim
from globalmanager.db.label_values import ClaimRow, Draft
from globalmanager.db.tables import Sample


def find(session: Session, sample_pk: int, person: str) -> ClaimRow | None:
    """What a person has to do with a sample; None = nothing."""
    row = _find(session, sample_pk, person)
    return None if row is None else _build(row)


def live_of(session: Session, job_id: int, person: str, now: datetime) -> tuple[ClaimRow, ...]:
    """What a person holds, in the order in which it was claimed. A lease on a sample that has another label by now, or
    waits for nobody's answer, is void."""
    query = (
        select(LabelClaim)
        .join(Sample, Sample.id == LabelClaim.sample_pk)
        .where(
            LabelClaim.job_id == job_id,
            LabelClaim.person == person,
            LabelClaim.expires_at > now,
            LabelClaim.base_seq == func.coalesce(Sample.label_seq, 0),
            Sample.label_state.is_(None),
            Sample.excluded.is_(False),
        )
        .order_by(LabelClaim.claimed_at, LabelClaim.id)
    )
    return tuple(_build(row) for row in session.scalars(query))


def take(
    session: Session, job_id: int, sample_pk: int, person: str, *, base_seq: int, now: datetime, until: datetime
) -> ClaimRow:
    """Keep a sample for a person. Whether there is room is the caller's to know."""
    row = _find(session, sample_pk, person)
    if row is None:
        row = LabelClaim(job_id=job_id, sample_pk=sample_pk, person=person)
        session.add(row)
    if row.expires_at is None or row.expires_at <= now:
        row.claimed_at = now
    row.base_seq, row.expires_at, row.skipped_at = base_seq, until, None
    session.flush()
    return _build(row)


def release(session: Session, sample_pk: int, person: str, now: datetime, *, skip: bool) -> bool:
    """Give a sample back; its draft stays. Returns False if the person did not hold it.

    Args:
        skip: it comes last for this person from now on.
    """
    row = _find(session, sample_pk, person)
    if row is None or row.expires_at is None or row.expires_at <= now:
        return False
    row.expires_at = None
    row.skipped_at = now if skip else None
    if row.draft is None and not skip:
        session.delete(row)
    session.flush()
    return True


def keep_draft(session: Session, job_id: int, sample_pk: int, person: str, draft: Draft, now: datetime) -> None:
    """Keep what somebody has drawn, whoever holds the sample."""
    row = _find(session, sample_pk, person)
    if row is None:
        row = LabelClaim(job_id=job_id, sample_pk=sample_pk, person=person, base_seq=draft.base_revision)
        session.add(row)
    row.draft = draft.model_dump(mode="json")
    row.drafted_at = now
    session.flush()


def forget(session: Session, sample_pk: int, person: str) -> None:
    """The person has answered: lease, draft and skip are over."""
    row = _find(session, sample_pk, person)
    if row is not None:
        session.delete(row)
        session.flush()


def forget_expired(session: Session, job_id: int, now: datetime) -> None:
    """Clear up leases that ran out and left nothing."""
    session.execute(
        delete(LabelClaim)
        .where(LabelClaim.job_id == job_id, LabelClaim.expires_at <= now, LabelClaim.draft.is_(None))
        .execution_options(synchronize_session=False)
    )


def others(session: Session, sample_pk: int, person: str, base_seq: int, now: datetime) -> tuple[datetime, ...]:
    """Until when other people hold a sample with this label; the first to end first."""
    query = select(LabelClaim.expires_at).where(
        LabelClaim.sample_pk == sample_pk,
        LabelClaim.expires_at > now,
        LabelClaim.person != person,
        LabelClaim.base_seq == base_seq,
    )
    return tuple(until for until in session.scalars(query.order_by(LabelClaim.expires_at)) if until is not None)


def _find(session: Session, sample_pk: int, person: str) -> LabelClaim | None:
    return session.scalar(select(LabelClaim).where(LabelClaim.sample_pk == sample_pk, LabelClaim.person == person))


def _build(row: LabelClaim) -> ClaimRow:
    return ClaimRow(
        sample_pk=row.sample_pk,
        person=row.person,
        base_seq=row.base_seq,
        expires_at=row.expires_at,
        draft=None if row.draft is None else Draft.model_validate(row.draft),
        skipped_at=row.skipped_at,
    )
