"""Bearer tokens. The database holds their sha256, with which nobody can log in."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from globalmanager.db.tables import BrowserSession, Edge, Job, LoginCode, Token, Worker
from globalmanager.db.values import Role, TokenRow
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.loop.observation import WorkerPhase


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def build(row: Token, job: JobKey | None = None) -> TokenRow:
    """A token without its secret."""
    return TokenRow(
        name=row.name,
        role=row.role,
        edge=row.edge,
        worker=row.worker,
        job=job,
        created_at=row.created_at,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
    )


def create(
    session: Session,
    name: str,
    role: Role,
    now: datetime,
    *,
    edge: str | None = None,
    expires_at: datetime | None = None,
    secret: str | None = None,
) -> str:
    """Store a token and return its secret, which cannot be read again.

    Raises:
        ConflictError: the name is taken.
    """
    if session.scalar(select(Token).where(Token.name == name)) is not None:
        raise ConflictError("a token of this name exists", where=name)
    secret = secret if secret is not None else secrets.token_urlsafe(32)
    session.add(Token(name=name, role=role, edge=edge, sha256=digest(secret), created_at=now, expires_at=expires_at))
    session.flush()
    return secret


def create_for_worker(session: Session, worker: str, now: datetime) -> str:
    """A token for an attempt, valid as long as its worker may run; returns the secret."""
    secret = secrets.token_urlsafe(32)
    name = f"{worker}-{secrets.token_hex(4)}"  # not a number: several Pods of one training ask at once
    session.add(Token(name=name, role="worker", worker=worker, sha256=digest(secret), created_at=now))
    session.flush()
    return secret


def create_for_pod(session: Session, edge: str, now: datetime, expires_at: datetime) -> str:
    """A token for an edge that is a Pod; those of it that have expired go. Returns the secret."""
    session.execute(delete(Token).where(Token.edge == edge, Token.expires_at <= now))
    return create(session, f"edge-{edge[:200]}-{secrets.token_hex(8)}", "edge", now, edge=edge, expires_at=expires_at)


def forget_workers(session: Session, workers: Collection[str]) -> None:
    """Delete the tokens of attempts that are over: they are no longer valid, and every attempt brings one."""
    session.execute(delete(Token).where(Token.worker.in_(workers)))


def is_valid(row: Token, now: datetime) -> bool:
    """Whether a token has neither been revoked nor expired."""
    return row.revoked_at is None and (row.expires_at is None or row.expires_at > now)


def authenticate(session: Session, secret: str, now: datetime) -> TokenRow | None:
    """The token with this secret if it is valid now, or None.

    The look-up is by the secret's sha256, so that the time it takes tells nothing about the secret.
    """
    row = session.scalar(select(Token).where(Token.sha256 == digest(secret)))
    if row is None or not is_valid(row, now):
        return None
    if row.worker is not None and not _may_run(session, row.worker):
        return None
    return build(row, None if row.edge is None else _only_job(session, row.edge))


def _only_job(session: Session, edge: str) -> JobKey | None:
    """A Pod's edge is of one job, and of its namespace: others there may not look into each other's models."""
    found = session.execute(
        select(Job.namespace, Job.name).join(Edge, Edge.job_id == Job.id).where(Edge.name == edge)
    ).one_or_none()
    return None if found is None else JobKey(namespace=found.namespace, name=found.name)


def was_known(session: Session, secret: str) -> bool:
    """Whether there is a token with this secret, whatever became of it."""
    return session.scalar(select(Token.id).where(Token.sha256 == digest(secret))) is not None


def _may_run(session: Session, worker: str) -> bool:
    """A worker's token ends with its attempt, without anybody having to remember it."""
    phase = session.scalar(select(Worker.phase).where(Worker.name == worker))
    return phase in (WorkerPhase.PENDING.value, WorkerPhase.RUNNING.value)


def list_all(session: Session) -> tuple[TokenRow, ...]:
    """Every token of people, programs and edges, by name; those of workers and Pods come and go by themselves."""
    query = select(Token).outerjoin(Edge, Edge.name == Token.edge)
    kept = query.where(Token.worker.is_(None), Edge.pod.is_(None)).order_by(Token.name)
    return tuple(build(row) for row in session.scalars(kept))


def get(session: Session, name: str) -> TokenRow:
    """A token by its name. Raises `NotFoundError`."""
    row = session.scalar(select(Token).where(Token.name == name))
    if row is None:
        raise NotFoundError("there is no such token", where=name)
    return build(row)


def revoke(session: Session, name: str, now: datetime) -> None:
    """End a token, and the sessions that began with it. Raises `NotFoundError`."""
    row = session.scalar(select(Token).where(Token.name == name))
    if row is None:
        raise NotFoundError("there is no such token", where=name)
    if row.revoked_at is None:
        # The row stays: records name the token, and its name must not come to mean another one.
        row.revoked_at = now
        for table in (BrowserSession, LoginCode):
            session.execute(delete(table).where(table.token_id == row.id))
        session.flush()
