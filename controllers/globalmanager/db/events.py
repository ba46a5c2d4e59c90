"""Events: what happened, in an order that readers can follow by id."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from globalmanager.db.tables import Event, Job
from globalmanager.db.values import EventRow, Level
from sedna.common.types import JobKey


def add(
    session: Session,
    job_id: int | None,
    kind: str,
    message: str,
    now: datetime,
    *,
    level: Level = "info",
    data: dict[str, JsonValue] | None = None,
) -> None:
    """Store an event.

    Ids follow the order of commits, so that a reader who saw id n has not missed a smaller one: writers take turns.
    """
    row = Event(job_id=job_id, at=now, kind=kind, level=level, message=message, data=data or {})
    session.add(row)
    session.flush()


def holdout_changed(session: Session, job_id: int, count: int, author: str, now: datetime) -> None:
    """Tell that labels of the frozen hold-out were replaced."""
    text = f"{author} changed {count} label(s) of the frozen hold-out: rounds that used the earlier ones are marked"
    data: dict[str, JsonValue] = {"labels": count, "author": author}
    add(session, job_id, "HoldoutRelabelled", text, now, level="warning", data=data)


def prune(session: Session, kept: int) -> None:
    """Forget all but the newest ``kept`` events."""
    session.execute(delete(Event).where(Event.id <= newest_id(session) - kept))


def after(session: Session, last_id: int, *, job_id: int | None = None, limit: int = 500) -> tuple[EventRow, ...]:
    """Events with a larger id, in order; of one job or of all."""
    query = select(Event, Job).outerjoin(Job, Job.id == Event.job_id).where(Event.id > last_id)
    if job_id is not None:
        query = query.where(Event.job_id == job_id)
    return tuple(_build(event, job) for event, job in session.execute(query.order_by(Event.id).limit(limit)))


def newest_id(session: Session) -> int:
    """The id of the newest event, 0 if there is none."""
    return session.scalar(select(func.max(Event.id))) or 0


def _build(row: Event, job: Job | None) -> EventRow:
    return EventRow.model_validate(
        {
            "id": row.id,
            "job": None if job is None else JobKey(namespace=job.namespace, name=job.name),
            "at": row.at,
            "kind": row.kind,
            "level": row.level,
            "message": row.message,
            "data": row.data,
        }
    )
