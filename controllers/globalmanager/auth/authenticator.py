"""Tokens of the database as identities."""

from __future__ import annotations

from globalmanager.auth.principal import Principal
from globalmanager.db import Database, tokens
from sedna.common.clock import Clock
from sedna.common.errors import AuthError

__all__ = ["DatabaseAuthenticator"]


class DatabaseAuthenticator:
    """Looks tokens up anew for every request, so that a revoked one ends at once."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def authenticate(self, token: str) -> Principal:
        """The identity behind a token.

        Raises:
            AuthError: it is unknown, expired or revoked.
            StoreUnavailableError: the database does not answer.
        """
        # No cache: the query is one look-up by key, and a revoked token that works for another minute is a hole.
        with self._db.read() as session:
            found = tokens.authenticate(session, token, self._clock.now())
        if found is None:
            raise AuthError("the token is not valid", hint="it is unknown, expired or revoked; ask an admin for one")
        return Principal.of(found)
