"""Write a backup while the service runs."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path

from globalmanager.auth.admin_token import ADMIN_TOKEN_FILE
from globalmanager.db.sqlite_files import companions, copy_database, schema_of
from globalmanager.service.settings import ServiceSettings
from globalmanager.service.settings_file import SETTINGS_FILE
from globalmanager.upkeep.archive import DATABASE, SETTINGS, STORE, ArchiveWriter, Header, written_archive
from globalmanager.upkeep.opening import database_file, opened_store, store_folder
from sedna.__version__ import __version__
from sedna.common.atomic import temporary_beside
from sedna.common.clock import Clock
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.types import Value
from sedna.store.base import ObjectStore

__all__ = ["BackupReport", "backup", "require_file"]


class BackupReport(Value):
    """What is in a backup. ``objects``: None = the store is not."""

    header: Header
    objects: int | None
    bytes: int


def require_file(settings: ServiceSettings) -> Path:
    """The file of the database.

    Raises:
        SpecError: it is a server, which has its own tools.
    """
    file = database_file(settings)
    if file is None:
        raise SpecError(
            "the database is PostgreSQL, which has its own tools for this",
            where="db_url",
            hint="pg_dump and pg_restore, or the backup of whoever runs the server; take the store after the database"
            " (versioning or replication of the bucket), and after a restore run 'sedna repair'",
        )
    return file


def backup(settings: ServiceSettings, target: Path, clock: Clock, *, with_store: bool | None = None) -> BackupReport:
    """Write database, settings, token and (if wanted) every object into one file.

    The database is one moment of it. The objects are read after it: whatever it speaks of was in the store before.

    Args:
        with_store: None = where the store is a folder.

    Raises:
        SpecError: the database is PostgreSQL.
        NotFoundError: there is no database or no store.
        ConflictError: there is such a file.
        DamagedDatabaseError: the database is damaged.
        TemporaryError: database, store or disk do not take part.
    """
    file = require_file(settings)
    if not file.is_file():
        raise NotFoundError("there is no database", where=str(file), hint="--data names the folder of the service")
    with_store = store_folder(settings) is not None if with_store is None else with_store
    copy = temporary_beside(target.absolute())
    header: list[Header] = []

    def made() -> Header:
        copy_database(file, copy)
        header.append(
            Header(
                id=secrets.token_hex(16),
                created_at=clock.now(),
                program=__version__,
                schema_revision=schema_of(copy),
                store=settings.store_url or str(store_folder(settings)),
                with_store=with_store,
            )
        )
        return header[0]

    count: int | None = None
    try:
        with contextlib.ExitStack() as stack:
            store = stack.enter_context(opened_store(settings)) if with_store else None
            archive = stack.enter_context(written_archive(target, made))
            with copy.open("rb") as stream:
                size = archive.copy(DATABASE, stream)
            for name in (SETTINGS_FILE, ADMIN_TOKEN_FILE):
                if (path := settings.data_dir / name).is_file():
                    archive.add(f"{SETTINGS}{name}", path.read_bytes())
            if store is not None:
                count, more = _add_objects(store, archive)
                size += more
    finally:
        for path in companions(copy):
            path.unlink(missing_ok=True)
    return BackupReport(header=header[0], objects=count, bytes=size)


def _add_objects(store: ObjectStore, archive: ArchiveWriter) -> tuple[int, int]:
    count = size = 0
    for info in store.list():
        try:
            with store.open(info.key) as stream:
                size += archive.copy(f"{STORE}{info.key}", stream)
        except NotFoundError:  # deleted since it was listed, by a person or with an old round
            continue
        count += 1
    return count, size
