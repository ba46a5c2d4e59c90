"""The spool's index: one SQLite file, flushed to the disk at every commit. Knows rows, not image files."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sedna.common.errors import ConflictError, IntegrityError, StorageFullError, StoreUnavailableError
from sedna.common.types import JobKey, Picked, SampleRecord
from sedna.edge.spool.values import SpoolState

__all__ = ["CounterKey", "IndexDamagedError", "Row", "SpoolIndex"]

SCHEMA_VERSION = 1
LATE_TIER = 10
"""Samples with this tier or more have failed too often to stand before others."""

_TIERS = {Picked.HARD: 0, Picked.IMPORT: 0, Picked.AUDIT: 1}
_TRIES_BEFORE_LATE = 5
_PAGE = 256

_SCHEMA = """
CREATE TABLE IF NOT EXISTS samples (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    sample_id TEXT NOT NULL,
    extension TEXT NOT NULL,
    size INTEGER NOT NULL,
    picked TEXT NOT NULL,
    tier INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    added_at TEXT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (namespace, name, sample_id)
);
CREATE INDEX IF NOT EXISTS samples_in_order ON samples (state, tier, seq);
CREATE INDEX IF NOT EXISTS samples_by_age ON samples (state, picked, seq);
CREATE TABLE IF NOT EXISTS jobs (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (namespace, name)
);
CREATE TABLE IF NOT EXISTS counters (
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (namespace, name, kind)
);
"""

CounterKey = tuple[str, str, str]
"""Namespace, job name, kind of count."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sample of the index. ``record_json`` is empty once the sample is done."""

    seq: int
    job: JobKey
    sample_id: str
    extension: str
    size: int
    attempts: int
    tier: int
    state: SpoolState
    reason: str
    record_json: str

    @property
    def record(self) -> SampleRecord:
        """The sample's record; not for done samples."""
        return SampleRecord.model_validate_json(self.record_json)

    @property
    def bytes(self) -> int:
        """What it takes of the quota: its image and its record."""
        return self.size + len(self.record_json)

    @property
    def file_name(self) -> str:
        """Name of its image file."""
        return f"{self.sample_id}.{self.extension}"


class IndexDamagedError(IntegrityError):
    """The index file is not, or no longer, a sound database."""


class SpoolIndex:
    """Rows of samples and counters. Not safe for several threads by itself: the spool holds a lock around it.

    Raises, from every method that writes:
        StorageFullError: the disk is full; nothing changed.
        StoreUnavailableError: the file cannot be written for another reason; nothing changed.
        IndexDamagedError: the disk has damaged it.

    Raises, when opened:
        ConflictError: written by a newer version of this software.
        IndexDamagedError: the file is not, or no longer, a sound database.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10.0)
        self._db.row_factory = sqlite3.Row
        try:
            self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        self._rows("PRAGMA journal_mode=WAL")
        # `add` promises that a sample survives a power cut; the default for this journal loses the last commits.
        self._rows("PRAGMA synchronous=FULL")
        # Read once at the start, so that a damaged page is found before samples are added to it.
        checked = [str(row[0]) for row in self._rows("PRAGMA quick_check")]
        if checked != ["ok"]:
            raise IndexDamagedError("; ".join(checked[:3]), where=str(self._path))
        version = int(self._rows("PRAGMA user_version")[0][0])
        if version > SCHEMA_VERSION:
            raise ConflictError(
                f"written by newer software (format {version}, this one knows {SCHEMA_VERSION})",
                where=str(self._path),
                hint="update the edge software, or use another data folder",
            )
        with self._writing():
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
            self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file; its write-ahead log is folded in."""
        self._db.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """One transaction: everything in it is on the disk when it ends, or nothing is."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.DatabaseError as error:
            where, code = str(self._path), getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
                raise StorageFullError(f"cannot write: {error}", where=where, retry_after=30.0) from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise IndexDamagedError(str(error), where=where, hint="restart: it is moved aside") from error
            raise StoreUnavailableError(f"cannot be used: {error}", where=where, retry_after=5.0) from error

    def insert(self, record: SampleRecord, added_at: str, counters: dict[CounterKey, int]) -> Row:
        """Add a pending sample (or make a damaged one pending again)."""
        job = record.job
        with self._writing():
            self._db.execute(
                "DELETE FROM samples WHERE namespace=? AND name=? AND sample_id=? AND state=?",
                (job.namespace, job.name, record.sample_id, SpoolState.DAMAGED),
            )
            inserted = self._db.execute(
                "INSERT INTO samples (namespace, name, sample_id, extension, size, picked, tier, state, added_at,"
                " record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *",
                (
                    job.namespace, job.name, record.sample_id, record.extension, record.size, record.picked,
                    _TIERS[record.picked], SpoolState.PENDING, added_at, record.model_dump_json(),
                ),
            ).fetchall()  # fmt: skip
            self._store(counters)
        return _row(inserted[0])

    def move(self, row: Row, state: SpoolState, counters: dict[CounterKey, int]) -> None:
        """Give a sample another state, with the reason and the file size of ``row``; a done one forgets its record."""
        with self._writing():
            self._db.execute(
                "UPDATE samples SET state=:state, reason=:reason, size=:size,"
                " record = CASE WHEN :state = 'done' THEN '' ELSE record END WHERE seq=:seq",
                {"state": state, "reason": row.reason, "size": row.size, "seq": row.seq},
            )
            self._store(counters)

    def failed(self, seq: int) -> None:
        """Count a failed attempt; after several the sample stands behind those that have not failed."""
        with self._writing():
            self._db.execute(
                "UPDATE samples SET tier = CASE WHEN attempts + 1 >= ? THEN ? + attempts + 1 ELSE tier END,"
                " attempts = attempts + 1 WHERE seq=?",
                (_TRIES_BEFORE_LATE, LATE_TIER, seq),
            )

    def requeue(self, rows: Collection[Row]) -> None:
        """Make samples pending again, with a clean slate."""
        with self._writing():
            for row in rows:
                self._db.execute(
                    "UPDATE samples SET state=?, reason='', attempts=0, tier=? WHERE seq=?",
                    (SpoolState.PENDING, _TIERS[row.record.picked], row.seq),
                )

    def delete(self, seqs: Collection[int], counters: dict[CounterKey, int]) -> None:
        """Forget samples."""
        with self._writing():
            self._db.executemany("DELETE FROM samples WHERE seq=?", [(seq,) for seq in seqs])
            self._store(counters)

    def forget_done(self, keep: int) -> None:
        """Forget all done samples but the latest ``keep``."""
        with self._writing():
            self._db.execute(
                "DELETE FROM samples WHERE state=:done AND seq <= (SELECT seq FROM samples WHERE state=:done"
                " ORDER BY seq DESC LIMIT 1 OFFSET :keep)",
                {"done": SpoolState.DONE, "keep": keep},
            )

    def renew(self, job: JobKey, created_at: str) -> int:
        """Note when a job was made. If another one of that name was known, forget what was sent to it.

        Returns:
            How many done samples were forgotten.
        """
        known = self._rows("SELECT created_at FROM jobs WHERE namespace=? AND name=?", job.namespace, job.name)
        if known and known[0][0] == created_at:
            return 0
        with self._writing():
            self._db.execute(
                "INSERT INTO jobs (namespace, name, created_at) VALUES (?, ?, ?)"
                " ON CONFLICT (namespace, name) DO UPDATE SET created_at=excluded.created_at",
                (job.namespace, job.name, created_at),
            )
            # A spool of before knew no such time: what it has sent may well have gone to this very job.
            if not known:
                return 0
            return self._db.execute(
                "DELETE FROM samples WHERE namespace=? AND name=? AND state=?",
                (job.namespace, job.name, SpoolState.DONE),
            ).rowcount

    def store_counters(self, counters: dict[CounterKey, int]) -> None:
        """Write counters alone."""
        with self._writing():
            self._store(counters)

    def _store(self, counters: dict[CounterKey, int]) -> None:
        self._db.executemany(
            "INSERT INTO counters (namespace, name, kind, value) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (namespace, name, kind) DO UPDATE SET value=excluded.value",
            [(*key, value) for key, value in counters.items()],
        )

    def counters(self) -> dict[CounterKey, int]:
        """All counters."""
        rows = self._rows("SELECT namespace, name, kind, value FROM counters")
        return {(row["namespace"], row["name"], row["kind"]): row["value"] for row in rows}

    def find(self, job: JobKey, sample_id: str) -> Row | None:
        """The row of a sample."""
        rows = self._rows(
            "SELECT * FROM samples WHERE namespace=? AND name=? AND sample_id=?", job.namespace, job.name, sample_id
        )
        return _row(rows[0]) if rows else None

    def first(self, held: Collection[int]) -> Row | None:
        """The next sample to upload: hard before audit, old before new, often failed ones last."""
        # One more than are held: among so many rows one is free, if any is.
        for row in self.in_order(SpoolState.PENDING, page=len(held) + 1):
            if row.seq not in held:
                return row
        return None

    def in_order(self, state: SpoolState, page: int = _PAGE) -> Iterator[Row]:
        """All rows of a state in upload order, read page by page; rows may change meanwhile."""
        tier, seq = -1, -1
        query = "SELECT * FROM samples WHERE state=? AND (tier, seq) > (?, ?) ORDER BY tier, seq LIMIT ?"
        while rows := [_row(row) for row in self._rows(query, state, tier, seq, page)]:
            yield from rows
            tier, seq = rows[-1].tier, rows[-1].seq

    def oldest(self, state: SpoolState, picked: Picked, limit: int) -> list[Row]:
        """The oldest rows of a state that were picked for one reason."""
        query = "SELECT * FROM samples WHERE state=? AND picked=? ORDER BY seq LIMIT ?"
        return [_row(row) for row in self._rows(query, state, picked, limit)]

    def count(self, state: SpoolState) -> int:
        """How many rows have this state."""
        return int(self._rows("SELECT count(*) FROM samples WHERE state=?", state)[0][0])

    def oldest_pending_at(self) -> str | None:
        """When the oldest waiting sample was added."""
        query = "SELECT seq, added_at FROM samples WHERE state=? AND picked=? ORDER BY seq LIMIT 1"
        oldest = [tuple(row) for picked in Picked for row in self._rows(query, SpoolState.PENDING, picked)]
        return str(min(oldest)[1]) if oldest else None

    def bytes_by_job(self) -> dict[JobKey, int]:
        """Bytes on disk of every job."""
        rows = self._rows(
            "SELECT namespace, name, sum(size + length(record)) FROM samples WHERE state != ? GROUP BY namespace, name",
            SpoolState.DONE,
        )
        return {JobKey(namespace=namespace, name=name): size for namespace, name, size in rows}

    def _rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._errors():
            return self._db.execute(query, values).fetchall()


def _row(row: sqlite3.Row) -> Row:
    return Row(
        seq=row["seq"],
        job=JobKey(namespace=row["namespace"], name=row["name"]),
        sample_id=row["sample_id"],
        extension=row["extension"],
        size=row["size"],
        attempts=row["attempts"],
        tier=row["tier"],
        state=SpoolState(row["state"]),
        reason=row["reason"],
        record_json=row["record"],
    )
