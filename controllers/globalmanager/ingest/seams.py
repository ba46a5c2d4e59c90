"""The seams through which samples and labels are taken in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from globalmanager.db import Database, lease
from globalmanager.db.database import Session
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.store.base import ObjectStore


@dataclass(frozen=True, kw_only=True)
class Seams:
    """Database, store and clock of the engine that holds the lease, and the ``token`` that proves it."""

    db: Database
    store: ObjectStore
    clock: Clock
    settings: EngineSettings
    token: int

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that only the holder of the lease can make.

        Raises:
            LeaseLostError: another engine has taken over.
        """
        with self.db.write() as session:
            # Inside the transaction, which locks the lease's row: another engine cannot take over before the commit.
            lease.check(session, self.token)
            yield session

    def confirm(self) -> None:
        """Raise `LeaseLostError` if another engine has taken over: asked before something outside is started."""
        with self.write():
            pass

    def now(self) -> datetime:
        """The time."""
        return self.clock.now()
