"""The first admin's token: given by the settings, or made at the first start and kept in a file of one's own."""

from __future__ import annotations

import itertools
import secrets
from pathlib import Path

from globalmanager.db import Database, tokens
from globalmanager.db.database import Session
from sedna.common.atomic import write_atomic
from sedna.common.clock import Clock
from sedna.common.errors import SpecError

__all__ = ["ADMIN_TOKEN_FILE", "ADMIN_TOKEN_NAME", "ensure_admin_token"]

ADMIN_TOKEN_FILE = "admin.token"  # noqa: S105  (a file name)
ADMIN_TOKEN_NAME = "admin"  # noqa: S105  (a token's name)


def ensure_admin_token(db: Database, data_dir: Path, clock: Clock, *, given: str | None = None) -> str:
    """The admin token of this service; stored if it is not known.

    Without ``given`` it is that of this data folder: made, and written to ``admin.token`` (0600), if there is none. A
    file whose token is not valid any more (it was revoked, or the database is a new one) is replaced. The file is
    written before the database knows the token: a crash in between leaves a file that the next start replaces.

    Args:
        given: the token that the settings want. Services that share a database and have no folder that lasts would
            otherwise make another one at every start.

    Raises:
        SpecError: ``given`` was revoked, or is somebody else's.
    """
    if given is not None:
        with db.write() as session:
            if not _is_admin(session, given, clock):
                _create(session, given, clock)
        return given
    path = data_dir / ADMIN_TOKEN_FILE
    if path.exists():
        secret = path.read_text(encoding="utf-8").strip()
        with db.read() as session:
            # The database decides: a file alone proves nothing, and a revoked token must not come back with a restart.
            if secret and tokens.authenticate(session, secret, clock.now()) is not None:
                # A file that was copied or restored may have lost its mode.
                path.chmod(0o600)
                return secret
    secret = secrets.token_urlsafe(32)
    write_atomic(path, f"{secret}\n".encode(), mode=0o600)
    with db.write() as session:
        _create(session, secret, clock)
    return secret


def _is_admin(session: Session, secret: str, clock: Clock) -> bool:
    """Whether the token is there; the look and the creation are one transaction, for replicas start together."""
    found = tokens.authenticate(session, secret, clock.now())
    if found is not None and found.role == "admin":
        return True
    if found is not None or tokens.was_known(session, secret):
        raise SpecError(
            "this token was revoked, has expired, or is not an admin's",
            where="setting admin_token",
            hint="give a new one: a token that has ended must not come back with a restart",
        )
    return False


def _create(session: Session, secret: str, clock: Clock) -> None:
    name = _free_name({row.name for row in tokens.list_all(session)})
    tokens.create(session, name, "admin", clock.now(), secret=secret)


def _free_name(taken: set[str]) -> str:
    """``admin``, or ``admin-2``...: a revoked token keeps its name, because records refer to it."""
    candidates = (ADMIN_TOKEN_NAME if n == 1 else f"{ADMIN_TOKEN_NAME}-{n}" for n in itertools.count(1))
    return next(name for name in candidates if name not in taken)
