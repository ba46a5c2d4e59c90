"""Holds the lease of an engine, and notices when it is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime

from globalmanager.db import Database, lease
from globalmanager.db.lease import LeaseLostError
from globalmanager.db.values import LeaseRow
from globalmanager.engine import process_identity
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, TemporaryError
from sedna.common.log import LOGGER

_RENEWALS = 3
"""Per lease time, so that two may fail."""


class LeaseKeeper:
    """Takes the lease, renews it in a thread of its own, and gives it back."""

    def __init__(self, db: Database, clock: Clock, settings: EngineSettings) -> None:
        self._db = db
        self._clock = clock
        self._settings = settings
        self._identity = process_identity.claim()
        self._token: int | None = None
        self._since: datetime | None = None
        self._renewed = 0.0
        self._watch = _Watch(clock, settings.lease_seconds)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self.lost = threading.Event()

    @property
    def token(self) -> int | None:
        """The fencing token, None before `acquire`."""
        return self._token

    @property
    def since(self) -> datetime | None:
        """When the lease was taken, None before `acquire`."""
        return self._since

    @property
    def holds(self) -> bool:
        """Whether nobody else can have the lease yet, by this process's own clock. The database may still say
        otherwise: what must not happen twice is done under `lease.check`."""
        fresh = self._clock.monotonic() - self._renewed < self._settings.lease_seconds
        return self._token is not None and fresh and not self.lost.is_set()

    def acquire(self) -> int:
        """Take the lease if it has run out, or if its holder is known to be dead.

        Raises:
            ConflictError: another engine holds it.
        """
        return self._take(lambda held: held.expires_at <= self._clock.now() or _is_over(held))

    def try_acquire(self) -> bool:
        """Take the lease once its holder has not renewed it for its whole time, as seen from here.

        To be asked again and again. Clocks of different machines need not agree for it, and a time in which the
        database did not answer does not count: nobody could renew then.

        Raises:
            TemporaryError: the database does not answer.
        """
        try:
            with self._db.read() as session:
                held = lease.current(session)
            if held is not None and not self._watch.is_free(held):
                return False
            # Asked again inside the transaction: it may have been renewed in between.
            self._take(self._watch.is_free)
        except ConflictError:
            return False
        except TemporaryError:
            self._watch.forget()
            raise
        return True

    def _take(self, is_free: Callable[[LeaseRow], bool]) -> int:
        asked = self._clock.monotonic()
        with self._db.write(urgent=True) as session:
            since = self._clock.now()
            token = lease.acquire(
                session,
                process_identity.describe(),
                self._identity,
                since,
                self._settings.lease_seconds,
                is_free=is_free,
            )
        self._token, self._since, self._renewed = token, since, asked
        return token

    def renew(self) -> None:
        """Hold it longer; sets ``lost`` when it changed hands."""
        if self._token is None or self.lost.is_set():
            return
        asked = self._clock.monotonic()
        try:
            with self._db.write(urgent=True) as session:
                lease.renew(session, self._token, self._clock.now(), self._settings.lease_seconds)
            self._renewed = asked
        except LeaseLostError as error:
            # Told to everybody who holds this keeper before the next tick: two engines must not start workers.
            LOGGER.error("%s", error)
            self.lost.set()
        except TemporaryError as error:
            LOGGER.warning("the engine lease could not be renewed, trying again: %s", error)

    def keep(self) -> None:
        """Renew from now on, until `release`."""
        self._thread = threading.Thread(target=self._run, name="engine-lease", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(self._settings.lease_seconds / _RENEWALS) and not self.lost.is_set():
            self.renew()

    def release(self) -> None:
        """Give the lease back, so that another engine need not wait for it."""
        # The thread first: a renewal after the release would hold for another engine what was given back.
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._token is not None and not self.lost.is_set():
            try:
                with self._db.write(urgent=True) as session:
                    lease.release(session, self._token, self._clock.now())
            except TemporaryError as error:
                LOGGER.warning("the engine lease was not given back and will expire: %s", error)
        process_identity.give_up(self._identity)


def _is_over(held: LeaseRow) -> bool:
    """Given back, or of a process of this machine that is gone: such a one cannot come back, and waiting for its lease
    would only delay a restart."""
    return not held.identity or process_identity.is_dead(held.identity)


class _Watch:
    """How long somebody else's lease has stood still."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._seen: LeaseRow | None = None
        self._since = 0.0

    def is_free(self, held: LeaseRow) -> bool:
        if held != self._seen:
            self._seen, self._since = held, self._clock.monotonic()
        return _is_over(held) or self._clock.monotonic() - self._since >= self._seconds

    def forget(self) -> None:
        self._seen = None
