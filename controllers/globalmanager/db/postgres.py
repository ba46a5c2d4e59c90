"""PostgreSQL behind `Database`: how it is connected to, and what makes a writing transaction alone.

**Writers take turns**, as they do on SQLite: the first statement of a writing transaction takes one advisory lock,
which its end gives back. What a writer has read is then still true when it commits, whichever rows it read and
whichever it found missing; events get their ids in the order of the commits; and two writers cannot wait for each
other's rows in a circle. The alternatives cost more than they give here. SERIALIZABLE says the same only together with
a repetition of the whole block, which a context manager cannot do, and the row of the lease, which every write of the
engine reads and every renewal changes, would be a conflict each time. Row locks leave out rows that do not exist yet,
and every new query would have to be thought through again. What it costs is that writes do not overlap: some hundreds
a second, each a few milliseconds long. Nothing slow happens in them: files and requests come before or after.

The isolation below the lock is READ COMMITTED: a snapshot that was taken with the first statement would be older than
the lock.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import ExceptionContext

from globalmanager.db.settings import DatabaseSettings
from sedna.common.errors import SpecError
from sedna.common.extras import extra_needed

__all__ = ["DRIVER", "DRIVERS", "connect", "lock_for_migration", "lock_for_write"]

DRIVER = "postgresql+psycopg"
DRIVERS = ("postgresql", "postgres", DRIVER)
"""How the URL may begin."""

WRITE_LOCK = 7_301_946
"""Any number that no other advisory lock in this database has; migrations take it as well."""

_KEEPALIVE_INTERVAL = 3
_KEEPALIVES = 3

NUL_IN_JSON = "22P05"
"""What the server answers to ``\\u0000`` in JSON. The driver refuses it in other texts, without a code."""

OUT_OF_RANGE = "22003"
"""An integer beyond its column."""

_READ_ONLY = "25006"
"""What a server answers that was the primary before a failover."""


def connect(url: URL, settings: DatabaseSettings, *, reserved: bool = False) -> Engine:
    """An engine for ``url``; nothing is connected yet.

    Args:
        reserved: one or two connections for who must not wait behind everybody else.

    Raises:
        MissingPackageError: the driver is not installed.
        SpecError: the URL names another driver.
    """
    if url.drivername not in DRIVERS:
        raise SpecError(
            f"the driver of {url.drivername!r} is not used here", where="database url", hint="postgresql://"
        )
    with extra_needed("postgres", "PostgreSQL"):
        import psycopg  # noqa: F401  (SQLAlchemy would import it later, and say less)
    size = {"pool_size": 1, "max_overflow": 1} if reserved else _pool_size(settings)
    engine = create_engine(
        url.set(drivername=DRIVER),
        pool_pre_ping=True,  # a database that was restarted leaves dead connections in the pool
        pool_timeout=settings.pool_seconds,
        pool_recycle=settings.pool_recycle_seconds,
        connect_args=_connect_args(url, settings),
        **size,
    )
    event.listen(engine, "handle_error", _give_up_read_only)
    return engine


def lock_for_write(connection: Connection, settings: DatabaseSettings) -> None:
    """Wait for the other writers; one question, since it is asked at every write."""
    connection.exec_driver_sql(
        "SELECT set_config('idle_in_transaction_session_timeout', %s, true), pg_advisory_xact_lock(%s)",
        (_milliseconds(settings.idle_seconds), WRITE_LOCK),
    )


def lock_for_migration(connection: Connection, settings: DatabaseSettings) -> None:
    """Wait for another replica's migration, however long its statements take; afterwards a table that somebody reads
    must not be waited for that long, for everybody else would wait behind this."""
    connection.exec_driver_sql(
        "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', %s, true)",
        (_milliseconds(settings.migration_seconds),),
    )
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
    connection.exec_driver_sql("SELECT set_config('lock_timeout', %s, true)", (_milliseconds(settings.lock_seconds),))


def _pool_size(settings: DatabaseSettings) -> dict[str, Any]:
    return {"pool_size": settings.pool_size, "max_overflow": settings.pool_overflow}


def _connect_args(url: URL, settings: DatabaseSettings) -> dict[str, Any]:
    """Parameters of a connection; what the URL says itself wins."""
    probes = (_KEEPALIVE_INTERVAL, _KEEPALIVES)
    server = {
        "statement_timeout": _milliseconds(settings.statement_seconds),
        "lock_timeout": _milliseconds(settings.lock_seconds),
        "timezone": "UTC",
        # The server's own probes: a machine that is gone without a word must not hold the lock for two hours.
        "tcp_keepalives_idle": settings.keepalive_seconds,
        "tcp_keepalives_interval": probes[0],
        "tcp_keepalives_count": probes[1],
        "tcp_user_timeout": _milliseconds(settings.tcp_user_seconds),
    }
    given = url.query.get("options", "")
    options = [f"-c {name}={value}" for name, value in server.items()] + [
        given if isinstance(given, str) else given[-1]
    ]
    arguments: dict[str, Any] = {
        "application_name": "sedna",
        "connect_timeout": settings.connect_seconds,
        "keepalives_idle": settings.keepalive_seconds,
        "keepalives_interval": probes[0],
        "keepalives_count": probes[1],
        "tcp_user_timeout": int(settings.tcp_user_seconds * 1000),
        "target_session_attrs": "read-write",  # of several hosts the primary, also after a failover
    }
    arguments = {name: value for name, value in arguments.items() if name not in url.query}
    arguments["options"] = " ".join(options).strip()
    if not settings.prepared_statements:
        arguments["prepare_threshold"] = None
    return arguments


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _give_up_read_only(context: ExceptionContext) -> None:
    # The connection is fine, and useless: the primary is another server now, which a new connection finds.
    if getattr(context.original_exception, "sqlstate", None) == _READ_ONLY:
        context.is_disconnect = True
