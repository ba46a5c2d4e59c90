"""The seams through which samples and labels are taken in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from globalmanager.db import Database, lease
from globalmanager.db.database import Session
from globalmanager.settings import EngineSettings
from sedna.common.clock import Clock
from sedna.common.patience import Patience
from sedna.store import S3Settings
from sedna.store.base import ObjectStore


class CredentialSource(Protocol):
    """What a ``credentialName`` stands for."""

    def settings(self, namespace: str, name: str) -> S3Settings:
        """How to reach the S3 service of a credential.

        Raises:
            UserError: there is no such credential, or it is not complete.
            TemporaryError: it cannot be read now.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Seams:
    """Database, store and clock of the engine that holds the lease, and the ``token`` that proves it.

    ``credentials``: None without a cluster; names of credentials then mean nothing, and the service's own are used.
    ``patience``: with files of this machine that people name.
    """

    db: Database
    store: ObjectStore
    clock: Clock
    settings: EngineSettings
    token: int
    credentials: CredentialSource | None = None
    patience: Patience = field(default_factory=Patience)

    def s3(self, url: str, namespace: str, *names: str | None) -> S3Settings | None:
        """How to reach the S3 service of an address; None = as the environment of the service says.

        Args:
            names: credentials, of which the first that is given counts: that of the object before that of its job.

        Raises:
            UserError, TemporaryError: see `CredentialSource`.
        """
        name = next(filter(None, names), None)
        if self.credentials is None or name is None or not url.startswith("s3://"):
            return self.settings.s3
        return self.credentials.settings(namespace, name)

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
