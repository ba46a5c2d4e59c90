"""From the database to what ``decide`` looks at, in one consistent snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from globalmanager.db import edges, models, requests, rounds, samples, workers
from globalmanager.db.database import Session
from globalmanager.db.values import JobRow, WorkerRow
from globalmanager.runtimes.base import LOST
from globalmanager.settings import EngineSettings
from sedna.loop.observation import Observation, WorkerObservation, WorkerPhase
from sedna.loop.state import RoundState, Stage


@dataclass(frozen=True)
class Snapshot:
    """A job and what was seen of it at one instant.

    ``evaluation_key`` says where the result to judge is stored; None also once it was judged, so that a store that does
    not answer is in nobody's way then. ``active``: which workers may run.
    """

    job: JobRow
    observation: Observation
    evaluation_key: str | None
    active: tuple[WorkerRow, ...]


def observe(
    session: Session, job: JobRow, now: datetime, settings: EngineSettings, *, listening_since: datetime | None = None
) -> Snapshot:
    """The whole observation but for the evaluation, which is in the object store.

    Args:
        listening_since: when edges began to be heard; none: an edge's last word counts, however long that may be ago.
    """
    # Everything in one snapshot of the database: counts and workers of two instants would contradict each other.
    current, champion = job.state.current, job.state.champion
    worker, key = None, None
    if current is not None:
        worker = _worker(workers.find(session, job.id, current.id, current.stage, current.attempt))
        row = rounds.find(session, job.id, current.id)
        key = row.evaluation_key if row is not None and _is_to_judge(current) else None
    known = models.known(session, job.id)
    observation = Observation(
        samples=samples.counts(session, job.id),
        audit=None if champion is None else samples.audit(session, job.id, champion, settings.audit_window),
        request=requests.oldest_open(session, job.id, deploy_only=current is not None),
        worker=worker,
        edges=edges.observe(
            session,
            job.id,
            now,
            settings.live_seconds,
            asked=job.state.asked,
            listening_since=listening_since,
            return_seconds=settings.edge_return_seconds,
        ),
        listening_since=listening_since,
        initial_model=models.INITIAL if models.INITIAL in known else None,
        known_models=known,
        deleted=job.deleted_at is not None,
    )
    return Snapshot(job, observation, key, workers.active(session, job.id))


def _is_to_judge(current: RoundState) -> bool:
    return current.stage is Stage.EVALUATING or (current.stage is Stage.JUDGING and current.verdict is None)


def _worker(row: WorkerRow | None) -> WorkerObservation | None:
    if row is None:
        return None
    # The candidate of a training that failed may be reserved and is not published.
    trained = row.stage is Stage.TRAINING and row.phase is WorkerPhase.SUCCEEDED
    return WorkerObservation(
        round=row.round,
        stage=row.stage,
        attempt=row.attempt,
        phase=row.phase,
        candidate=row.model_version if trained else None,
        error=row.error,
        retryable=row.retryable,
        lost=row.cause == LOST,
        waits=row.phase in (WorkerPhase.PENDING, WorkerPhase.RUNNING) and bool(row.cause),
        working_since=row.working_since,
    )
