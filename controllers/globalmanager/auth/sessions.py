"""Signing in and out with a browser, and who a cookie speaks for."""

from __future__ import annotations

import hashlib
import hmac
import logging
from datetime import datetime, timedelta
from typing import Final

from globalmanager.auth.permission import Permission
from globalmanager.auth.principal import Principal
from globalmanager.db import Database, sessions
from globalmanager.db.database import Session
from globalmanager.db.values import SessionRow
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, TemporaryError
from sedna.common.types import Value

__all__ = ["Sessions", "SignedIn", "csrf_of"]

LOGGER = logging.getLogger("sedna.globalmanager.sessions")

_NOTE_EVERY: Final = timedelta(minutes=1)
"""A write for every request would wait for every other writer."""


class SignedIn(Value):
    """A session: the person behind it, and when it ends if nothing more is heard."""

    principal: Principal
    csrf: str
    expires_at: datetime


def csrf_of(secret: str) -> str:
    """What a page must send along with whatever changes something. It follows from the cookie, which scripts cannot
    read, so that it need not be stored."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


class Sessions:
    """Sessions of one database."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._cookie: str | None = None

    @property
    def cookie(self) -> str | None:
        """The name of the cookie; None as long as nobody could sign in."""
        if self._cookie is None:
            with self._db.read() as session:
                found = sessions.database_id(session)
            self._cookie = None if found is None else f"sedna-{found}"
        return self._cookie

    def sign_in(self, *, code: str | None = None, token: str | None = None) -> tuple[str, SignedIn]:
        """A new session, by a one-time code or a token; its secret goes into the cookie.

        Raises:
            AuthError: the code or token is not valid, or is of an edge or a worker.
        """
        now = self._clock.now()
        what = "the token is not valid" if code is None else "this link has been used, or is too old"
        hint = "'sedna token link NAME' makes a link; a token works as well"
        with self._db.read() as session:
            # Whoever only guesses must not take turns with those who write.
            if not sessions.is_known(session, now, code=code, token=token):
                raise AuthError(what, hint=hint)
        with self._db.write() as session:
            if code is not None:
                secret = sessions.redeem(session, code, now)
            else:
                secret = sessions.begin(session, token or "", now)
            found = None if secret is None else self._of(session, secret, now)
            if found is not None:
                found.principal.require(Permission.BROWSER)
        if secret is None or found is None:
            raise AuthError(what, hint=hint)
        LOGGER.info("%s has signed in", found.principal.name)
        return secret, found

    def identify(self, secret: str, *, active: bool = True) -> SignedIn:
        """Whose session this is.

        Args:
            active: whether that is a sign of life; an open stream of events is none.

        Raises:
            AuthError: it has ended.
        """
        now = self._clock.now()
        with self._db.read() as session:
            row = sessions.find(session, secret, now)
        if row is None:
            raise AuthError("the session has ended", hint="sign in again; 'sedna token link NAME' makes a link")
        if active and now - row.last_seen_at >= _NOTE_EVERY:
            self._note(secret, now)
        return _signed_in(row, secret)

    def sign_out(self, secret: str) -> None:
        """End a session."""
        with self._db.write() as session:
            sessions.end(session, secret)

    def _of(self, session: Session, secret: str, now: datetime) -> SignedIn | None:
        row = sessions.find(session, secret, now)
        return None if row is None else _signed_in(row, secret)

    def _note(self, secret: str, now: datetime) -> None:
        try:
            with self._db.write() as session:
                sessions.seen(session, secret, now)
        except TemporaryError as error:
            # The next request notes it; this one may only read, which a full disk allows.
            LOGGER.warning("that a session is used was not noted: %s", error)


def _signed_in(row: SessionRow, secret: str) -> SignedIn:
    return SignedIn(principal=Principal.of(row.token), csrf=csrf_of(secret), expires_at=row.expires_at)
