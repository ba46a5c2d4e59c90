"""Sessions of browsers, and the one-time codes that begin them. The database holds sha256 only, as of tokens."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from globalmanager.db.paging import execute_dml
from globalmanager.db.tables import BrowserSession, LoginCode, Token
from globalmanager.db.tokens import build, digest, is_valid
from globalmanager.db.values import SessionRow
from sedna.common.errors import ConflictError, NotFoundError

CODE_TIME: Final = timedelta(minutes=5)
"""From a link to its use; whoever finds it later in a log has nothing."""

IDLE_TIME: Final = timedelta(hours=8)
"""A shift. Whoever comes back the next day signs in again."""

LONGEST_TIME: Final = timedelta(days=30)
"""Of a session that is used every day."""


def add_code(session: Session, token_name: str, now: datetime) -> tuple[str, datetime]:
    """A code that begins one session of a token, and until when.

    Raises:
        NotFoundError: there is no such token.
        ConflictError: it is not valid any more.
    """
    row = session.scalar(select(Token).where(Token.name == token_name))
    if row is None:
        raise NotFoundError("there is no such token", where=token_name)
    if not is_valid(row, now):
        raise ConflictError("the token was revoked or has expired", where=token_name, hint="'sedna token create'")
    session.execute(delete(LoginCode).where(LoginCode.expires_at <= now))
    code, expires_at = secrets.token_urlsafe(32), now + CODE_TIME
    session.add(LoginCode(sha256=digest(code), token_id=row.id, expires_at=expires_at))
    session.flush()
    return code, expires_at


def is_known(session: Session, now: datetime, *, code: str | None, token: str | None) -> bool:
    """Whether `redeem` or `begin` would most likely begin a session; changes nothing, and waits for no writer."""
    if code is not None:
        wanted = select(LoginCode.sha256).where(LoginCode.sha256 == digest(code), LoginCode.expires_at > now)
        return session.scalar(wanted) is not None
    row = session.scalar(select(Token).where(Token.sha256 == digest(token or "")))
    return row is not None and is_valid(row, now)


def redeem(session: Session, code: str, now: datetime) -> str | None:
    """Use a code up and begin a session; its secret, or None if the code is unknown, used or too old."""
    wanted = LoginCode.sha256 == digest(code)
    found = session.scalar(select(LoginCode).where(wanted, LoginCode.expires_at > now))
    token = None if found is None else session.get(Token, found.token_id)
    # The count decides: of two that bring the same code at the same time, one deletes it.
    if execute_dml(session, delete(LoginCode).where(wanted)) == 0 or token is None or not is_valid(token, now):
        return None
    return _begin(session, token, now)


def begin(session: Session, token: str, now: datetime) -> str | None:
    """Begin a session with a token itself; its secret, or None if the token is not valid."""
    row = session.scalar(select(Token).where(Token.sha256 == digest(token)))
    return None if row is None or not is_valid(row, now) else _begin(session, row, now)


def _begin(session: Session, token: Token, now: datetime) -> str:
    # Here and not by a clock: nobody waits for the room of those that have ended.
    session.execute(
        delete(BrowserSession).where(
            (BrowserSession.last_seen_at <= now - IDLE_TIME) | (BrowserSession.created_at <= now - LONGEST_TIME)
        )
    )
    secret = secrets.token_urlsafe(32)
    session.add(BrowserSession(sha256=digest(secret), token_id=token.id, created_at=now, last_seen_at=now))
    session.flush()
    return secret


def find(session: Session, secret: str, now: datetime) -> SessionRow | None:
    """The session with this secret if it lasts and its token is valid now, or None."""
    row = session.get(BrowserSession, digest(secret))
    if row is None:
        return None
    token = session.get(Token, row.token_id)
    expires_at = min(row.last_seen_at + IDLE_TIME, row.created_at + LONGEST_TIME)
    if token is None or not is_valid(token, now) or expires_at <= now:
        return None
    if token.expires_at is not None:
        expires_at = min(expires_at, token.expires_at)
    return SessionRow(token=build(token), last_seen_at=row.last_seen_at, expires_at=expires_at)


def seen(session: Session, secret: str, now: datetime) -> None:
    """Note that something was heard from a session."""
    row = session.get(BrowserSession, digest(secret))
    if row is not None:
        row.last_seen_at = now
        session.flush()


def end(session: Session, secret: str) -> None:
    """Sign out; of a session that has ended it changes nothing."""
    session.execute(delete(BrowserSession).where(BrowserSession.sha256 == digest(secret)))


def database_id(session: Session) -> str | None:
    """A short name that is another one for every service: cookies know no ports, and two services of one host would
    sign each other out. None as long as there is no token at all."""
    # An admin's row is never deleted, and replicas share the database and not the folder.
    first = session.scalar(select(Token.sha256).where(Token.role == "admin").order_by(Token.id).limit(1))
    return None if first is None else digest(first)[:10]
