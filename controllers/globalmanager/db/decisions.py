"""Decisions: a trigger that says the same for hours takes one row, and old rows go.

Those that fired stay: each explains a round, and there are no more of them than rounds and requests.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from globalmanager.db.paging import page
from globalmanager.db.tables import DecisionRecord
from globalmanager.db.values import DecisionRow, Page
from sedna.loop.verdict import Decision

_PRUNE_EVERY = 64


def _build(row: DecisionRecord) -> DecisionRow:
    return DecisionRow(
        id=row.id,
        decision=Decision.model_validate(row.decision),
        count=row.count,
        at=row.at,
        last_at=row.last_at,
    )


def _digest(decision: Decision) -> str:
    """Equal for decisions that say the same about the same numbers, whenever they were made."""
    return hashlib.sha256(decision.model_dump_json(exclude={"at"}).encode()).hexdigest()


def add(session: Session, job_id: int, decision: Decision, kept: int) -> None:
    """Store a decision. A repetition of the newest one that did not fire only counts up."""
    digest = _digest(decision)
    newest = session.scalar(
        select(DecisionRecord).where(DecisionRecord.job_id == job_id).order_by(DecisionRecord.id.desc()).limit(1)
    )
    # One that fired always has a row of its own: a round refers to it.
    if newest is not None and newest.digest == digest and not decision.fire:
        # The row is as new as its last repetition: pruning goes by id, and this one stays the newest.
        newest.count += 1
        newest.last_at = decision.at
        return
    row = DecisionRecord(
        job_id=job_id,
        decision=decision.model_dump(mode="json"),
        digest=digest,
        count=1,
        at=decision.at,
        last_at=decision.at,
    )
    session.add(row)
    session.flush()
    # Ids are of all jobs together: whether this job's ids have passed a multiple, not whether they hit one.
    if newest is not None and row.id // _PRUNE_EVERY != newest.id // _PRUNE_EVERY:
        prune(session, job_id, kept)


def prune(session: Session, job_id: int, kept: int) -> None:
    """Forget all but the newest ``kept`` decisions of a job that did not fire."""
    old = (DecisionRecord.job_id == job_id, DecisionRecord.decision["fire"].as_boolean().is_(False))
    oldest = session.scalar(
        select(DecisionRecord.id).where(*old).order_by(DecisionRecord.id.desc()).offset(kept - 1).limit(1)
    )
    if oldest is not None:
        session.execute(
            delete(DecisionRecord).where(*old, DecisionRecord.id < oldest).execution_options(synchronize_session=False)
        )


def list_page(session: Session, job_id: int, *, limit: int = 100, cursor: str | None = None) -> Page[DecisionRow]:
    """Decisions, the newest first."""
    query = select(DecisionRecord).where(DecisionRecord.job_id == job_id)
    return page(session, query, DecisionRecord.id, _build, limit=limit, cursor=cursor)
