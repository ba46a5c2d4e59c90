"""SQLite's file as a file: whether it is whole, and a copy of it while others write."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from pathlib import Path

from sedna.common.errors import ConflictError, IntegrityError, NotFoundError, StoreUnavailableError

__all__ = [
    "DamagedDatabaseError",
    "companions",
    "copy_database",
    "damaged",
    "is_damage",
    "move_workers",
    "require_whole",
    "schema_of",
    "set_aside",
]

CHECKED_BYTES = 2**30
"""A larger file is not read through at every start: its damage is told when a statement meets it."""

_DAMAGE = ("malformed", "not a database", "file is encrypted", "malformed database schema")
_BUSY_SECONDS = 60.0


class DamagedDatabaseError(IntegrityError):
    """The file is no database any more, or a part of it is not readable."""


def damaged(name: str, what: str) -> DamagedDatabaseError:
    """The error that names a damaged file and says what to do."""
    hint = (
        "put a backup back with 'sedna restore BACKUP --data DIR --replace' (the damaged files are kept beside it),"
        " then 'sedna repair --data DIR' takes back what came later and is in the store"
    )
    return DamagedDatabaseError(f"the database is damaged: {what}", where=name, hint=hint)


def is_damage(error: BaseException | None) -> bool:
    """Whether a driver's error says that the file is damaged."""
    return isinstance(error, sqlite3.DatabaseError) and any(word in str(error) for word in _DAMAGE)


def companions(path: Path) -> tuple[Path, ...]:
    """The files that belong to a database: without its log, the newest commits are missing."""
    return (path, *(path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm", "journal")))


def require_whole(path: Path, *, always: bool = True) -> None:
    """Read a database through.

    Args:
        always: also one that is larger than `CHECKED_BYTES`.

    Raises:
        NotFoundError: there is no such file.
        DamagedDatabaseError: it is not whole.
        StoreUnavailableError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError("there is no such database", where=str(path))
    if not always and path.stat().st_size > CHECKED_BYTES:
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            rows = [row[0] for row in connection.execute("PRAGMA quick_check(3)")]
    except sqlite3.DatabaseError as error:
        raise _translated(error, path) from error
    if rows != ["ok"]:
        raise damaged(str(path), "; ".join(" ".join(row.split()) for row in rows))


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one moment, while others read and write it; flushed to the disk.

    Raises:
        NotFoundError: there is no ``source``.
        ConflictError: there is a ``target``.
        DamagedDatabaseError: ``source`` is damaged.
        StoreUnavailableError: it cannot be read, or the copy cannot be written.
    """
    if not source.is_file():
        raise NotFoundError("there is no such database", where=str(source))
    if target.exists():
        raise ConflictError("this file exists", where=str(target))
    try:
        with (
            contextlib.closing(sqlite3.connect(source, timeout=_BUSY_SECONDS)) as reading,
            contextlib.closing(sqlite3.connect(target)) as writing,
        ):
            # All pages in one step: a writer in between would make SQLite begin anew, for ever on a busy service.
            reading.backup(writing)
            # The copy stands alone: with a log beside it, one of the two files could get lost.
            writing.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        raise _translated(error, source) from error
    require_whole(target)
    with target.open("rb") as file:
        os.fsync(file.fileno())


def schema_of(path: Path) -> str:
    """The schema that a database is at.

    Raises:
        NotFoundError: it is empty.
    """
    with contextlib.closing(sqlite3.connect(path)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        row = None
        if "alembic_version" in tables:
            row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    if row is None:
        raise NotFoundError("the database is empty", where=str(path), hint="is it the folder of the service?")
    return str(row[0])


def move_workers(path: Path, work_dir: Path) -> None:
    """Look for workers of this machine below another folder: a copy must not take over, or stop, those of the
    original. Of a database at any schema."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        rows = connection.execute("SELECT id, handle FROM workers WHERE ended_at IS NULL").fetchall()
        for row, text in rows:
            handle = json.loads(text)
            if "folder" in handle:
                handle["folder"] = str(work_dir / Path(handle["folder"]).name)
                connection.execute("UPDATE workers SET handle = ? WHERE id = ?", (json.dumps(handle), row))


def set_aside(path: Path, name: str) -> list[Path]:
    """Rename a database, with its log, to ``name`` beside it. Again after a crash, it goes on with what is left.

    Raises:
        ConflictError: there is another file of this name, which stays.
    """
    moved = []
    # The log last: without its database it is found by the next try, and the two belong together.
    for file, new in zip(companions(path), companions(path.with_name(name)), strict=True):
        if file.exists():
            if new.exists():
                raise ConflictError("this file exists", where=str(new), hint="move it away, then restore again")
            file.replace(new)
            moved.append(new)
    return moved


def _translated(error: sqlite3.DatabaseError, path: Path) -> DamagedDatabaseError | StoreUnavailableError:
    if is_damage(error):
        return damaged(str(path), str(error))
    return StoreUnavailableError(f"the database does not answer: {error}", where=str(path))
