"""Opening a database, and its two kinds of transaction. Nothing outside this package knows which database it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from globalmanager.db import postgres
from globalmanager.db.migrate import require_current, upgrade
from globalmanager.db.settings import DatabaseSettings
from globalmanager.db.sqlite_files import damaged, is_damage, require_whole
from sedna.common.errors import SpecError, StorageFullError, StoreUnavailableError

BUSY_SECONDS = 15.0
"""How long a SQLite writer waits for another one. Transactions here are short; longer means that something hangs."""

_WRITE = "sedna_write"
_MIGRATION = "sedna_migration"


class Database:
    """A database, migrated to the newest schema.

    Args:
        url: a SQLAlchemy URL, or the path of a SQLite file.
        settings: of the connections to PostgreSQL.
        migrate: False = leave it as it is, and refuse another schema than the newest.

    Raises:
        SpecError: not a URL of SQLite or PostgreSQL, or in-memory SQLite.
        MissingPackageError: the driver of PostgreSQL is not installed.
        ConflictError: the database was written by a newer version of this program.
        DamagedDatabaseError: SQLite's file is damaged.
        StoreUnavailableError: it does not answer, or another service migrates it for too long.
    """

    def __init__(self, url: str | Path, settings: DatabaseSettings | None = None, *, migrate: bool = True) -> None:
        settings = settings or DatabaseSettings()
        parsed = _parse(url)
        self._name = "database"
        if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
            self._name = str(parsed.database)
            if (file := Path(self._name)).is_file() and file.stat().st_size:
                require_whole(file, always=False)
        self._engine = _create(parsed, settings)
        self.dialect = self._engine.dialect.name
        self._reader = self._engine.execution_options(**_reader_options(self.dialect))
        self._writer = self._engine.execution_options(**_writer_options(self.dialect))
        self._reserved = self._writer
        if self.dialect == "postgresql":
            reserved = postgres.connect(parsed, settings, reserved=True)
            _take_turns(reserved, settings)
            self._reserved = reserved.execution_options(**_writer_options(self.dialect))
        # With the write lock: of services that start on one database at once, one migrates it.
        migrator = self._writer.execution_options(**{_MIGRATION: True}) if migrate else self._reader
        try:
            with _translated(self._name), migrator.begin() as connection:
                upgrade(connection) if migrate else require_current(connection)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """One consistent snapshot. Nothing that is changed in it is kept.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with _translated(self._name), Session(self._reader) as session:
            yield session

    @contextlib.contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Session]:
        """One transaction: committed to the disk when the block ends, rolled back when it raises.

        Its first statement takes the write lock, so that what is read inside cannot change before the commit: no other
        writer, of this process or another one, is in such a block.

        Args:
            urgent: over a connection that is kept for this; requests that wait for one do not keep it waiting.

        Raises:
            StoreUnavailableError: the database does not answer, or is busy for too long.
            StorageFullError: no space left.
        """
        with _translated(self._name), Session(self._reserved if urgent else self._writer) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()
        self._reserved.dispose()


def _reader_options(dialect: str) -> dict[str, Any]:
    # SQLite's readers see one snapshot anyway; PostgreSQL's default shows each query the newest commits.
    if dialect == "postgresql":
        return {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    return {}


def _writer_options(dialect: str) -> dict[str, Any]:
    # Below the lock; said here, for the server may have another default.
    return {_WRITE: True, "isolation_level": "READ COMMITTED"} if dialect == "postgresql" else {_WRITE: True}


def _parse(url: str | Path) -> URL:
    try:
        return make_url(str(url)) if "://" in str(url) else make_url(f"sqlite:///{Path(url).absolute()}")
    except (ArgumentError, ValueError) as error:  # without the URL itself, which may hold a password
        raise SpecError(
            "this is not a URL", where="database url", hint="postgresql://user:password@host:5432/name"
        ) from error


def _create(url: URL, settings: DatabaseSettings) -> Engine:
    backend = url.get_backend_name()
    if backend in postgres.DRIVERS:
        engine = postgres.connect(url, settings)
        _take_turns(engine, settings)
        return engine
    if backend != "sqlite":
        raise SpecError(f"database {backend!r} is not supported", where="database url", hint="sqlite or postgresql")
    if url.database in (None, "", ":memory:"):
        raise SpecError(
            "an in-memory database forgets what it acknowledged", where="database url", hint="sqlite:///path/to/file"
        )
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _take_turns(engine: Engine, settings: DatabaseSettings) -> None:
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if options.get(_MIGRATION, False):
            postgres.lock_for_migration(connection, settings)
        elif options.get(_WRITE, False):
            postgres.lock_for_write(connection, settings)

    event.listen(engine, "begin", begin)


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
def _translated(name: str) -> Iterator[None]:
    """Driver errors that a later try may cure, as the temporary errors of the tree; values that no column holds, as
    the caller's mistake; a damaged file (``name``) as that; programming errors pass."""
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        text = str(error.orig)
        if is_damage(error.orig):
            raise damaged(name, text) from error
        if "disk is full" in text or "No space left" in text:
            raise StorageFullError(f"the database cannot grow: {text}", where="database", retry_after=30.0) from error
        raise StoreUnavailableError(f"the database does not answer: {text}", where="database") from error
    except PoolTimeoutError as error:
        text = "every connection to the database is in use, and none came free in time"
        raise StoreUnavailableError(text, where="database") from error
    except OverflowError as error:  # SQLite's driver, before it asks the database
        raise _too_large(error) from error
    except UnicodeEncodeError as error:  # half of a surrogate pair, which a JSON document can spell
        raise SpecError(f"a text has no UTF-8: {error.reason}", hint="no single halves of characters") from error
    except DataError as error:
        raise _refused(error) from error
    except DBAPIError as error:
        if is_damage(error.orig):
            raise damaged(name, str(error.orig)) from error
        # Anything else of the driver is a defect here, and must show its trace.
        if not error.connection_invalidated:
            raise
        raise StoreUnavailableError(f"the database connection was lost: {error.orig}", where="database") from error


def _refused(error: DataError) -> SpecError:
    state = getattr(error.orig, "sqlstate", None)
    if state == postgres.NUL_IN_JSON or "NUL (0x00)" in str(error.orig):
        return SpecError("a text holds a NUL character, which PostgreSQL keeps in no text", hint="leave it out")
    if state == postgres.OUT_OF_RANGE:
        return _too_large(error.orig)
    return SpecError(f"a value has no place in the database: {error.orig}")


def _too_large(error: BaseException | None) -> SpecError:
    return SpecError(f"a number is too large to be one of ours: {error}", hint="at most 9 digits, for sizes 18")


__all__ = ["Database", "SQLAlchemyError", "Session"]
