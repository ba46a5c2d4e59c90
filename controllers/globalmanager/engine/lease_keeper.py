"""Holds the lease of an engine, and notices when it is lost."""

from __future__ import annotations

import threading
from datetime import datetime

from globalmanager.db import Database, lease
from globalmanager.db.lease import LeaseLostError
from globalmanager.engine import process_identity
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.common.errors import TemporaryError
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

    def acquire(self) -> int:
        """Take the lease.

        Raises:
            ConflictError: another engine holds it.
        """
        with self._db.write() as session:
            self._since = self._clock.now()
            self._token = lease.acquire(
                session,
                process_identity.describe(),
                self._identity,
                self._since,
                self._settings.lease_seconds,
                is_dead=process_identity.is_dead,
            )
        return self._token

    def renew(self) -> None:
        """Hold it longer; sets ``lost`` when it changed hands."""
        if self._token is None or self.lost.is_set():
            return
        try:
            with self._db.write() as session:
                lease.renew(session, self._token, self._clock.now(), self._settings.lease_seconds)
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
                with self._db.write() as session:
                    lease.release(session, self._token, self._clock.now())
            except TemporaryError as error:
                LOGGER.warning("the engine lease was not given back and will expire: %s", error)
        process_identity.give_up(self._identity)
