"""Opening a database, and its two kinds of transaction. Nothing outside this package knows which database it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from globalmanager.db.migrate import upgrade
from sedna.common.errors import SpecError, StorageFullError, StoreUnavailableError

BUSY_SECONDS = 15.0
"""How long a SQLite writer waits for another one. Transactions here are short; longer means that something hangs."""

_WRITE = "sedna_write"


class Database:
    """A database, migrated to the newest schema.

    Args:
        url: a SQLAlchemy URL, or the path of a SQLite file.

    Raises:
        SpecError: not a URL of SQLite or PostgreSQL, or in-memory SQLite.
        ConflictError: the database was written by a newer version of this program.
        StoreUnavailableError: it does not answer.
    """

    def __init__(self, url: str | Path) -> None:
        self._engine = _create(url)
        self.dialect = self._engine.dialect.name
        self._reader = self._engine.execution_options(**_reader_options(self.dialect))
        self._writer = self._engine.execution_options(**{_WRITE: True})
        # With the write lock: two services that start on one file must not both migrate it.
        with _translated(), self._writer.begin() as connection:
            upgrade(connection)

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent snapshot. Nothing that is changed in it is kept.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with _translated(), Session(self._reader) as session:
            yield session

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed to the disk when the block ends, rolled back when it raises.

        SQLite takes the write lock at the start, so that what is read inside cannot change before the commit.

        Raises:
            StoreUnavailableError: the database does not answer, or is busy for too long.
            StorageFullError: no space left.
        """
        with _translated(), Session(self._writer) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()


def _reader_options(dialect: str) -> dict[str, Any]:
    # SQLite's readers see one snapshot anyway; PostgreSQL's default shows each query the newest commits.
    return {"isolation_level": "REPEATABLE READ"} if dialect == "postgresql" else {}


def _create(url: str | Path) -> Engine:
    parsed = make_url(str(url)) if "://" in str(url) else make_url(f"sqlite:///{Path(url).absolute()}")
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise SpecError(f"database {backend!r} is not supported", where="database url", hint="sqlite or postgresql")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SpecError(
            "an in-memory database forgets what it acknowledged", where="database url", hint="sqlite:///path/to/file"
        )
    if backend == "postgresql":
        # Pinged: a database that was restarted leaves dead connections in the pool.
        return create_engine(parsed, pool_pre_ping=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late for a snapshot; see _begin_sqlite
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",  # an acknowledged sample must survive a power cut; NORMAL loses the last commits
        f"busy_timeout = {int(BUSY_SECONDS * 1000)}",
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITE, False)
    # Immediate: a transaction that reads first and writes later could not get the lock, and fails without a wait.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Driver errors that a later try may cure, as the temporary errors of the tree; values that no column holds, as
    the caller's mistake; programming errors pass."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        text = str(error.orig)
        if "disk is full" in text or "No space left" in text:
            raise StorageFullError(f"the database cannot grow: {text}", where="database", retry_after=30.0) from error
        raise StoreUnavailableError(f"the database does not answer: {text}", where="database") from error
    except OverflowError as error:  # SQLite's driver, before it asks the database
        raise SpecError(f"a number is too large to be one of ours: {error}", hint="at most 18 digits") from error
    except DataError as error:
        raise SpecError(f"a value has no place in the database: {error.orig}") from error
    except DBAPIError as error:
        # Anything else of the driver is a defect here, and must show its trace.
        if not error.connection_invalidated:
            raise
        raise StoreUnavailableError(f"the database connection was lost: {error.orig}", where="database") from error


__all__ = ["Database", "SQLAlchemyError", "Session"]
