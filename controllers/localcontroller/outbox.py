"""Reports that a worker has handed over and the cloud has not: durable, in order, each once."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sedna.common.clock import Clock
from sedna.common.errors import StorageFullError, StoreUnavailableError
from sedna.core.report import WorkerReport

__all__ = ["Outbox", "PendingReport"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    worker TEXT NOT NULL,
    digest TEXT NOT NULL,
    body TEXT NOT NULL,
    received_at TEXT NOT NULL,
    delivered_at TEXT,
    refused TEXT,
    UNIQUE (worker, digest)
);
CREATE INDEX IF NOT EXISTS ix_reports_pending ON reports (id) WHERE delivered_at IS NULL;
"""

KEEP_DELIVERED = timedelta(days=7)
"""A worker that repeats a report later than this is not recognised; workers retry for minutes."""


@dataclass(frozen=True)
class PendingReport:
    """A report that waits for the cloud."""

    id: int
    report: WorkerReport
    received_at: datetime


class Outbox:
    """A SQLite file. `add` returns only after the report is on the disk. Safe for several threads.

    Raises:
        StorageFullError: the disk is full; nothing was acknowledged.
        StoreUnavailableError: the file cannot be opened or written for another reason.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._lock = threading.Lock()
        self._path = path
        with self._errors():
            self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # The worker ends when its report is acknowledged; nobody could send again what a power cut takes.
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file; later calls fail."""
        with self._lock:
            self._connection.close()

    def add(self, report: WorkerReport, discriminator: str = "") -> bool:
        """Keep a report; False when this worker has sent the very same one before."""
        with self._lock, self._errors():
            cursor = self._connection.execute(
                "INSERT INTO reports (worker, digest, body, received_at) VALUES (?, ?, ?, ?) "
                # By the database and not by a look before it: two threads may bring one report.
                "ON CONFLICT (worker, digest) DO NOTHING",
                (
                    report.name,
                    report.digest(discriminator),
                    report.model_dump_json(by_alias=True, exclude_unset=True),
                    self._clock.now().isoformat(),
                ),
            )
            return cursor.rowcount == 1

    def next_pending(self) -> PendingReport | None:
        """The oldest report that was not handed over."""
        with self._lock, self._errors():
            row = self._connection.execute(
                "SELECT id, body, received_at FROM reports WHERE delivered_at IS NULL ORDER BY id LIMIT 1"
            ).fetchone()
        if row is None:
            return None
        return PendingReport(row[0], WorkerReport.model_validate_json(row[1]), datetime.fromisoformat(row[2]))

    def pending(self) -> int:
        """How many reports wait."""
        with self._lock, self._errors():
            row = self._connection.execute("SELECT count(*) FROM reports WHERE delivered_at IS NULL").fetchone()
        return int(row[0])

    def mark_delivered(self, report_id: int, *, refused: str | None = None) -> None:
        """The cloud took the report, or ``refused`` it for good; old ones are forgotten."""
        now = self._clock.now()
        with self._lock, self._errors():
            self._connection.execute(
                "UPDATE reports SET delivered_at = ?, refused = ? WHERE id = ?", (now.isoformat(), refused, report_id)
            )
            self._connection.execute(
                "DELETE FROM reports WHERE delivered_at < ?", ((now - KEEP_DELIVERED).astimezone(UTC).isoformat(),)
            )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", None)
            if code == sqlite3.SQLITE_FULL:
                raise StorageFullError("no space for a worker's report", where=str(self._path)) from error
            raise StoreUnavailableError(f"report file: {error}", where=str(self._path)) from error
