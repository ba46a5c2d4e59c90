"""The lease that makes one engine the driver. ``token`` fences off a former holder: its transactions are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.tables import EngineLease
from globalmanager.db.values import LeaseRow
from sedna.common.errors import ConflictError, SednaError

_ROW = 1


class LeaseLostError(SednaError):
    """Another engine has taken over: this one must stop."""


def _build(row: EngineLease) -> LeaseRow:
    return LeaseRow(
        holder=row.holder, identity=row.identity, token=row.token, since=row.since, expires_at=row.expires_at
    )


def _select(session: Session) -> EngineLease | None:
    # Locked until the commit, so that two engines that start together take turns. SQLite has no row locks and needs
    # none: a writing transaction there has the whole database.
    return session.scalar(select(EngineLease).where(EngineLease.id == _ROW).with_for_update())


def current(session: Session) -> LeaseRow | None:
    """The lease, also an expired one; None before the first engine."""
    row = session.get(EngineLease, _ROW)
    return None if row is None else _build(row)


def acquire(
    session: Session, holder: str, identity: str, now: datetime, seconds: float, *, is_free: Callable[[LeaseRow], bool]
) -> int:
    """Take the lease if there is none, or if it is free; return its token.

    Args:
        is_free: whether the lease, as it is at this moment, is its holder's no more.

    Raises:
        ConflictError: another engine holds it.
    """
    expires_at = now + timedelta(seconds=seconds)
    row = _select(session)
    if row is None:
        session.add(EngineLease(id=_ROW, holder=holder, identity=identity, token=1, since=now, expires_at=expires_at))
        session.flush()
        return 1
    if not is_free(_build(row)):
        raise ConflictError(
            f"another engine drives this database: held by {row.holder} since {row.since:%Y-%m-%d %H:%M:%S}Z,"
            f" expires {row.expires_at:%Y-%m-%d %H:%M:%S}Z",
            where="engine lease",
            hint="stop it, or wait until the lease expires",
        )
    # The token grows with every holder. An engine that slept through its lease wakes with the old one, and `check`
    # refuses whatever it still wants to write.
    row.holder, row.identity, row.token, row.since, row.expires_at = holder, identity, row.token + 1, now, expires_at
    session.flush()
    return row.token


def renew(session: Session, token: int, now: datetime, seconds: float) -> None:
    """Hold the lease longer. Raises `LeaseLostError` when it changed hands."""
    check(session, token).expires_at = now + timedelta(seconds=seconds)
    session.flush()


def release(session: Session, token: int, now: datetime) -> None:
    """Give the lease back; one that has changed hands is left alone."""
    row = _select(session)
    if row is not None and row.token == token:
        # Expired and not deleted: the next holder's token must be larger than every token there was.
        row.identity, row.expires_at = "", now
        session.flush()


def check(session: Session, token: int) -> EngineLease:
    """Refuse the transaction of an engine that lost the lease; the row stays locked until the commit."""
    row = _select(session)
    if row is None or row.token != token:
        by = "nobody" if row is None else row.holder
        raise LeaseLostError(f"this engine lost its lease to {by}", where="engine lease")
    return row
