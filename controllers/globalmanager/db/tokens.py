"""Bearer tokens. The database holds their sha256; whoever reads it cannot log in with that."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from globalmanager.db.tables import Token
from globalmanager.db.values import Role, TokenRow
from sedna.common.errors import ConflictError, NotFoundError


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _build(row: Token) -> TokenRow:
    return TokenRow.model_validate({name: getattr(row, name) for name in TokenRow.model_fields})


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
    session.add(Token(name=name, role=role, edge=edge, sha256=_digest(secret), created_at=now, expires_at=expires_at))
    session.flush()
    return secret


def authenticate(session: Session, secret: str, now: datetime) -> TokenRow | None:
    """The token with this secret if it is valid now, or None.

    The look-up is by the secret's sha256, so that the time it takes tells nothing about the secret.
    """
    row = session.scalar(select(Token).where(Token.sha256 == _digest(secret)))
    if row is None or row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
        return None
    return _build(row)


def list_all(session: Session) -> tuple[TokenRow, ...]:
    """Every token, by name."""
    return tuple(_build(row) for row in session.scalars(select(Token).order_by(Token.name)))


def revoke(session: Session, name: str, now: datetime) -> None:
    """The token is no longer valid. Raises `NotFoundError`."""
    row = session.scalar(select(Token).where(Token.name == name))
    if row is None:
        raise NotFoundError("there is no such token", where=name)
    if row.revoked_at is None:
        row.revoked_at = now
        session.flush()
