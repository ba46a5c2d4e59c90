"""Manual requests: idempotent by the caller's key, answered by the engine."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from globalmanager.db.tables import Job, TriggerRequest
from globalmanager.db.values import JobRow, RequestRow, RequestState
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind


def _build(row: TriggerRequest, key: JobKey) -> RequestRow:
    fields = {name: getattr(row, name) for name in RequestRow.model_fields if name != "job"}
    return RequestRow.model_validate({"job": key, **fields})


def add(
    session: Session, job: JobRow, wish: ManualRequest, now: datetime, *, idempotency_key: str | None = None
) -> tuple[RequestRow, bool]:
    """Store a request; its ``id`` is replaced by a fresh one.

    Returns:
        The request, and whether this call created it: the same key with the same content returns the first one.

    Raises:
        ConflictError: the key was used for another request.
    """
    # Who asks is no part of it: a retry may come with a renewed token.
    content = wish.model_dump(mode="json", exclude={"id", "requested_by"})
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    # Two requests with one key take turns here, so that the second one finds the first.
    session.scalar(select(Job.id).where(Job.id == job.id).with_for_update())
    if idempotency_key is not None:
        earlier = session.scalar(
            select(TriggerRequest).where(
                TriggerRequest.job_id == job.id, TriggerRequest.idempotency_key == idempotency_key
            )
        )
        if earlier is not None:
            # The first answer would be a lie about this content.
            if earlier.body_sha256 != digest:
                raise ConflictError(
                    "this key belongs to another request", where="Idempotency-Key", hint="use a fresh key"
                )
            return _build(earlier, job.key), False
    row = TriggerRequest(
        id=str(uuid.uuid4()),
        job_id=job.id,
        idempotency_key=idempotency_key,
        body_sha256=digest,
        action=wish.action.value,
        reason=wish.reason,
        requested_by=wish.requested_by,
        version=wish.version,
        parameters=wish.parameters,
        state=RequestState.PENDING.value,
        message="",
        created_at=now,
    )
    session.add(row)
    # So that the engine sees that there is news of the job, in whichever process it runs.
    session.execute(update(Job).where(Job.id == job.id).values(updated_at=now))
    session.flush()
    return _build(row, job.key), True


def get(session: Session, job: JobRow, request_id: str) -> RequestRow:
    """A request of a job. Raises `NotFoundError`."""
    row = session.scalar(select(TriggerRequest).where(TriggerRequest.id == request_id, TriggerRequest.job_id == job.id))
    if row is None:
        raise NotFoundError("the job has no such request", where=request_id)
    return _build(row, job.key)


def by_key(session: Session, job: JobRow, idempotency_key: str) -> RequestRow | None:
    """The request that was made with a key, or None."""
    row = session.scalar(
        select(TriggerRequest).where(TriggerRequest.job_id == job.id, TriggerRequest.idempotency_key == idempotency_key)
    )
    return None if row is None else _build(row, job.key)


def list_recent(session: Session, job: JobRow, limit: int = 50) -> tuple[RequestRow, ...]:
    """The newest requests of a job."""
    query = select(TriggerRequest).where(TriggerRequest.job_id == job.id)
    rows = session.scalars(query.order_by(TriggerRequest.seq.desc()).limit(limit))
    return tuple(_build(row, job.key) for row in rows)


def newest_of(session: Session, job: JobRow, requested_by: str) -> RequestRow | None:
    """The newest request of a job that somebody made, or None."""
    query = select(TriggerRequest).where(TriggerRequest.job_id == job.id, TriggerRequest.requested_by == requested_by)
    row = session.scalar(query.order_by(TriggerRequest.seq.desc()).limit(1))
    return None if row is None else _build(row, job.key)


def under_way(session: Session, job: JobRow, round_id: int | None) -> tuple[RequestRow, ...]:
    """The requests of a job that have no answer yet, and those that became this round; the oldest first."""
    counts = TriggerRequest.state == RequestState.PENDING.value
    if round_id is not None:
        counts = or_(counts, TriggerRequest.round == round_id)
    query = select(TriggerRequest).where(TriggerRequest.job_id == job.id, counts).order_by(TriggerRequest.seq)
    return tuple(_build(row, job.key) for row in session.scalars(query))


def oldest_open(session: Session, job_id: int, *, deploy_only: bool = False) -> ManualRequest | None:
    """The oldest request without an answer, or None.

    ``deploy_only`` looks past the others: while a round is under way only a deploy request can be served, and it must
    not wait behind one that has to wait for the round's end.
    """
    query = select(TriggerRequest).where(
        TriggerRequest.job_id == job_id, TriggerRequest.state == RequestState.PENDING.value
    )
    if deploy_only:
        query = query.where(TriggerRequest.action == RoundKind.DEPLOY.value)
    row = session.scalar(query.order_by(TriggerRequest.seq).limit(1))
    if row is None:
        return None
    return ManualRequest(
        id=row.id,
        action=RoundKind(row.action),
        reason=row.reason,
        requested_by=row.requested_by,
        version=row.version,
        parameters=row.parameters,
    )


def answer(
    session: Session, request_id: str, *, accepted: bool, round_id: int | None, message: str, now: datetime
) -> None:
    """Answer a request."""
    row = session.scalar(select(TriggerRequest).where(TriggerRequest.id == request_id))
    if row is None:
        raise NotFoundError("there is no such request", where=request_id)
    row.state = (RequestState.ACCEPTED if accepted else RequestState.REFUSED).value
    row.round, row.message, row.answered_at = round_id, message, now
    session.flush()
