"""Registered edges and what they said last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from pydantic import JsonValue
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from globalmanager.db.paging import execute_dml
from globalmanager.db.tables import Edge, EdgeJob, Job, Token
from globalmanager.db.values import EdgeJobRow, EdgeRow, PodEdgeRow
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey, Value
from sedna.loop.observation import EdgeObservation


def register(session: Session, name: str, now: datetime) -> None:
    """Add an edge. Raises `ConflictError` when the name is taken."""
    if session.get(Edge, name) is not None:
        raise ConflictError("an edge of this name is registered", where=name, hint="remove it first")
    session.add(Edge(name=name, software="", registered_at=now))
    session.flush()


def register_pod(session: Session, name: str, job_id: int, pod: str, pod_uid: str, now: datetime) -> None:
    """Add the edge of a Pod, or give it to the next Pod of this name. Its namespace is that of the job.

    Raises:
        ConflictError: an edge of this name belongs to somebody else.
    """
    edge = session.get(Edge, name)
    if edge is None:
        session.add(
            Edge(name=name, software="", registered_at=now, job_id=job_id, pod=pod, pod_uid=pod_uid, last_seen_at=None)
        )
    elif edge.job_id != job_id:
        raise ConflictError("an edge of this name is registered for something else", where=name, hint="remove it first")
    elif edge.pod_uid != pod_uid:
        # A Pod that is replaced under one name: nobody may go on to speak for it with the old tokens.
        session.execute(delete(Token).where(Token.edge == name))
        edge.pod, edge.pod_uid, edge.registered_at = pod, pod_uid, now
    session.flush()


def of_pods(session: Session) -> tuple[PodEdgeRow, ...]:
    """Every edge that is a Pod, by name."""
    query = select(Edge, Job).join(Job, Job.id == Edge.job_id).order_by(Edge.name)
    return tuple(_build_pod(edge, job) for edge, job in session.execute(query))


def pod_of(session: Session, name: str) -> PodEdgeRow | None:
    """The Pod that this edge is, if it is one."""
    query = select(Edge, Job).join(Job, Job.id == Edge.job_id).where(Edge.name == name)
    found = session.execute(query).one_or_none()
    return None if found is None else _build_pod(*found)


def remove(session: Session, name: str) -> None:
    """Forget an edge, what it said, and its tokens. Raises `NotFoundError`."""
    if execute_dml(session, delete(Edge).where(Edge.name == name)) == 0:
        raise NotFoundError("there is no such edge", where=name)


def seen(session: Session, name: str, software: str, now: datetime) -> datetime | None:
    """Note that an edge was heard, and return since when it was offline, if it was.

    Raises:
        NotFoundError: it is not registered.
    """
    edge = session.get(Edge, name)
    # Not registered on the fly: whoever has a token for a removed edge must notice that it was removed.
    if edge is None:
        raise NotFoundError("this edge is not registered", where=name, hint="register it first")
    since, edge.offline_since = edge.offline_since, None
    edge.software, edge.last_seen_at = software, now
    session.flush()
    return since


def silent(
    session: Session, now: datetime, live_seconds: float, *, listening_since: datetime | None, return_seconds: float
) -> tuple[tuple[str, datetime], ...]:
    """Edges that have gone and are not known as offline yet, each with when it was heard last; see `observe` for when
    an edge counts as gone. One that was never heard has not gone."""
    heard_before = now - timedelta(seconds=live_seconds)
    query = select(Edge.name, Edge.last_seen_at).where(Edge.offline_since.is_(None), Edge.last_seen_at < heard_before)
    if listening_since is not None and now <= listening_since + timedelta(seconds=return_seconds):
        query = query.where(Edge.last_seen_at >= listening_since)
    return tuple((name, last) for name, last in session.execute(query.order_by(Edge.name)) if last is not None)


def set_offline(session: Session, name: str, since: datetime) -> None:
    """Note that an edge is offline since then; it ends when the edge is heard."""
    session.get_one(Edge, name).offline_since = since
    session.flush()


def job_ids(session: Session, name: str) -> tuple[int, ...]:
    """The jobs of which an edge speaks."""
    return tuple(session.scalars(select(EdgeJob.job_id).where(EdgeJob.edge == name).order_by(EdgeJob.job_id)))


class EdgeSaid(Value):
    """What an edge says about one job now. ``desired``: the model version that it is answered, for round ``asked``."""

    job_id: int
    job: JobKey
    model_version: int | None
    state: str
    failed_version: int | None
    reason: str
    counters: dict[str, JsonValue]
    desired: int | None
    asked: int | None = None


def put_statuses(session: Session, edge: str, said: Sequence[EdgeSaid], now: datetime) -> tuple[EdgeJobRow | None, ...]:
    """Replace what an edge said about some jobs, and return what it said before about each."""
    # One question for all: a heartbeat speaks of every job, and other writers wait for it.
    rows = {row.job_id: row for row in session.scalars(select(EdgeJob).where(EdgeJob.edge == edge))}
    before: list[EdgeJobRow | None] = []
    for status in said:
        row = rows.get(status.job_id)
        before.append(None if row is None else _build_status(row, status.job))
        if row is None:
            row = rows[status.job_id] = EdgeJob(edge=edge, job_id=status.job_id)
            session.add(row)
        row.model_version, row.state, row.failed_version = status.model_version, status.state, status.failed_version
        row.reason, row.counters, row.at = status.reason, status.counters, now
        # What it was answered last time is what it knew when it spoke now; see `observe`. Of a round that has begun
        # since it knew nothing.
        row.desired_before = row.desired if row.asked == status.asked else None
        row.desired, row.asked = status.desired, status.asked
    session.flush()
    return tuple(before)


def keep_only(session: Session, edge: str, job_ids: Sequence[int]) -> None:
    """Forget what an edge said about jobs that it no longer serves."""
    session.execute(delete(EdgeJob).where(EdgeJob.edge == edge, EdgeJob.job_id.not_in(job_ids)))


def observe(
    session: Session,
    job_id: int,
    now: datetime,
    live_seconds: float,
    *,
    asked: int | None = None,
    listening_since: datetime | None = None,
    return_seconds: float = 0.0,
) -> tuple[EdgeObservation, ...]:
    """The edges of a job as the loop sees them.

    Where nobody listened, nothing can be said about who was silent: an edge that was not heard since
    ``listening_since`` counts as live until it has had ``return_seconds`` to come back. How long it had been silent
    before does not matter; one that is gone for good is waited for once after a start, and not for long.

    "I failed with version n" counts only from an edge that knew of n as the desired version of round ``asked``, and
    whose answer named n again. Otherwise it may speak of an earlier roll-out of n.
    """
    # Two clocks: an edge is silent when it has missed several heartbeats, but only of those that somebody could hear.
    since = now - timedelta(seconds=live_seconds)
    back_by = (listening_since or now) + timedelta(seconds=return_seconds)
    query = select(EdgeJob, Edge).join(Edge, Edge.name == EdgeJob.edge).where(EdgeJob.job_id == job_id)
    return tuple(
        _observed(
            status,
            edge,
            asked,
            live=_heard(edge, since) or (not _heard(edge, listening_since) and now <= back_by),
            heard=_heard(edge, listening_since),
        )
        for status, edge in session.execute(query.order_by(Edge.name))
    )


def observe_jobs(
    session: Session, asked: Mapping[int, int | None], now: datetime, live_seconds: float
) -> dict[int, tuple[EdgeObservation, ...]]:
    """The edges of many jobs, for lists.

    Args:
        asked: by job, the round that asked its edges for their model.
    """
    since = now - timedelta(seconds=live_seconds)
    query = select(EdgeJob, Edge).join(Edge, Edge.name == EdgeJob.edge).order_by(Edge.name)
    if len(asked) == 1:
        query = query.where(EdgeJob.job_id == next(iter(asked)))
    found: dict[int, list[EdgeObservation]] = {job_id: [] for job_id in asked}
    for status, edge in session.execute(query):
        if status.job_id in found:
            seen = _observed(status, edge, asked[status.job_id], live=_heard(edge, since), heard=True)
            found[status.job_id].append(seen)
    return {job_id: tuple(seen) for job_id, seen in found.items()}


def _observed(status: EdgeJob, edge: Edge, asked: int | None, *, live: bool, heard: bool) -> EdgeObservation:
    return EdgeObservation(
        name=edge.name,
        live=live,
        heard=heard,
        version=status.model_version,
        failed_version=status.failed_version if _speaks_of_now(status, asked) else None,
        reason=status.reason,
    )


def _heard(edge: Edge, since: datetime | None) -> bool:
    return since is None or (edge.last_seen_at is not None and edge.last_seen_at >= since)


def _speaks_of_now(row: EdgeJob, asked: int | None) -> bool:
    # The answer before and the answer now: a failure between two roll-outs of one version speaks of the first.
    return row.asked == asked and row.failed_version == row.desired_before == row.desired


def get(session: Session, name: str) -> EdgeRow:
    """An edge. Raises `NotFoundError`."""
    found = [edge for edge in list_all(session) if edge.name == name]
    if not found:
        raise NotFoundError("there is no such edge", where=name)
    return found[0]


def list_all(session: Session) -> tuple[EdgeRow, ...]:
    """Every edge with what it last said, by name."""
    said: dict[str, list[EdgeJobRow]] = {}
    query = select(EdgeJob, Job).join(Job, Job.id == EdgeJob.job_id).where(Job.deleted_at.is_(None))
    for status, job in session.execute(query.order_by(Job.namespace, Job.name)):
        said.setdefault(status.edge, []).append(_build_status(status, JobKey(namespace=job.namespace, name=job.name)))
    return tuple(
        EdgeRow(
            name=edge.name,
            software=edge.software,
            registered_at=edge.registered_at,
            last_seen_at=edge.last_seen_at,
            jobs=tuple(said.get(edge.name, ())),
            pod=edge.pod,
            offline_since=edge.offline_since,
        )
        for edge in session.scalars(select(Edge).order_by(Edge.name))
    )


def of_job(session: Session, job_id: int) -> tuple[EdgeRow, ...]:
    """The edges that spoke about a job."""
    names = set(session.scalars(select(EdgeJob.edge).where(EdgeJob.job_id == job_id)))
    return tuple(edge for edge in list_all(session) if edge.name in names)


def _build_pod(edge: Edge, job: Job) -> PodEdgeRow:
    return PodEdgeRow(
        name=edge.name,
        job=JobKey(namespace=job.namespace, name=job.name),
        pod=edge.pod or "",
        pod_uid=edge.pod_uid or "",
        registered_at=edge.registered_at,
        last_seen_at=edge.last_seen_at,
    )


def _build_status(row: EdgeJob, job: JobKey) -> EdgeJobRow:
    return EdgeJobRow(
        job=job,
        model_version=row.model_version,
        state=row.state,
        failed_version=row.failed_version,
        reason=row.reason,
        counters=row.counters,
        at=row.at,
    )
