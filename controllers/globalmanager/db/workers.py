"""Worker attempts and their results."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.tables import Worker
from globalmanager.db.values import WorkerProgress, WorkerRow, WorkerUsage
from sedna.core.report import summary_of
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage


def _build(row: Worker) -> WorkerRow:
    return WorkerRow.model_validate({name: getattr(row, name) for name in WorkerRow.model_fields})


def ensure(
    session: Session,
    job_id: int,
    round_id: int,
    stage: Stage,
    attempt: int,
    *,
    name: str,
    handle: dict[str, str],
    champion: int | None = None,
    now: datetime,
) -> WorkerRow:
    """The row of an attempt, made if it is missing. ``champion``: the model in service."""
    row = _select(session, job_id, round_id, stage, attempt)
    if row is None:
        # Written before the process is started: after a crash in between the row says what to look for.
        row = Worker(
            job_id=job_id,
            round=round_id,
            stage=stage.value,
            attempt=attempt,
            name=name,
            phase=WorkerPhase.PENDING.value,
            handle=handle,
            champion=champion,
            retryable=False,
            created_at=now,
        )
        session.add(row)
        session.flush()
    return _build(row)


def find(session: Session, job_id: int, round_id: int, stage: Stage, attempt: int) -> WorkerRow | None:
    """The worker of an attempt, or None."""
    row = _select(session, job_id, round_id, stage, attempt)
    return None if row is None else _build(row)


def by_name(session: Session, name: str) -> WorkerRow | None:
    """The worker of this name, or None."""
    row = session.scalar(select(Worker).where(Worker.name == name))
    return None if row is None else _build(row)


def of_round(session: Session, job_id: int, round_id: int) -> tuple[WorkerRow, ...]:
    """All attempts of a round, the oldest first."""
    query = select(Worker).where(Worker.job_id == job_id, Worker.round == round_id).order_by(Worker.id)
    return tuple(_build(row) for row in session.scalars(query))


def active(session: Session, job_id: int) -> tuple[WorkerRow, ...]:
    """Workers that may run."""
    phases = (WorkerPhase.PENDING.value, WorkerPhase.RUNNING.value)
    query = select(Worker).where(Worker.job_id == job_id, Worker.phase.in_(phases)).order_by(Worker.id)
    return tuple(_build(row) for row in session.scalars(query))


def started(session: Session, worker_id: int) -> None:
    """Note that the runtime has started a worker."""
    row = session.get_one(Worker, worker_id)
    # It may have ended already: a runtime tells of a start after the fact.
    if row.phase == WorkerPhase.PENDING.value:
        row.phase = WorkerPhase.RUNNING.value
    session.flush()


def waits(session: Session, worker_id: int, cause: str, waiting: str, now: datetime) -> None:
    """Note what a worker waits for before it can work; empty texts: for nothing, so that its time begins."""
    row = session.get_one(Worker, worker_id)
    row.cause, row.waiting = cause, waiting
    if not cause and row.working_since is None:
        row.working_since = now
    session.flush()


def doomed(session: Session, worker_id: int, *, error: str, cause: str, reason: str, retryable: bool) -> None:
    """Note how a worker will have ended that still has to be stopped; the first word stays."""
    row = session.get_one(Worker, worker_id)
    if row.error is None:
        row.error, row.cause, row.waiting, row.retryable = error, cause, reason, retryable
        session.flush()


def begins_anew(session: Session, worker_id: int) -> None:
    """Note that a worker that was started, and could not begin, is to be started again."""
    row = session.get_one(Worker, worker_id)
    if row.phase == WorkerPhase.RUNNING.value:
        row.phase = WorkerPhase.PENDING.value
        session.flush()


def reported(session: Session, worker_id: int, report: dict[str, Any]) -> None:
    """Keep the report of a worker. The first one stays; a repetition changes nothing."""
    row = session.get_one(Worker, worker_id)
    if row.report is None:
        row.report = report
        session.flush()


def progressed(session: Session, worker_id: int, progress: WorkerProgress) -> None:
    """Keep how far a worker says that it is."""
    session.get_one(Worker, worker_id).progress = progress.model_dump(mode="json")
    session.flush()


def reserve_model(session: Session, worker_id: int, version: int) -> None:
    """Keep the version under which the model of a worker will be published."""
    session.get_one(Worker, worker_id).model_version = version
    session.flush()


def ended(
    session: Session,
    worker_id: int,
    *,
    phase: WorkerPhase,
    exit_code: int | None,
    error: str | None,
    cause: str = "",
    retryable: bool,
    usage: WorkerUsage | None,
    now: datetime,
) -> None:
    """Note the end of a worker. Its results per sample go: the evaluation in the object store has them."""
    row = session.get_one(Worker, worker_id)
    row.report = None if row.report is None else summary_of(row.report)
    row.phase, row.exit_code, row.error, row.retryable = phase.value, exit_code, error, retryable
    row.cause, row.waiting = cause, ""
    row.usage = None if usage is None else usage.model_dump(mode="json")
    row.ended_at = now
    session.flush()


def _select(session: Session, job_id: int, round_id: int, stage: Stage, attempt: int) -> Worker | None:
    return session.scalar(
        select(Worker).where(
            Worker.job_id == job_id,
            Worker.round == round_id,
            Worker.stage == stage.value,
            Worker.attempt == attempt,
        )
    )
