"""The database and the store of a service, found by its settings, beside the service or without it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from globalmanager.db import Database
from globalmanager.service.data_dir import require_restored
from globalmanager.service.run import load_settings
from globalmanager.service.settings import ServiceSettings
from sedna.common.errors import NotFoundError
from sedna.store import open_store
from sedna.store.base import ObjectStore

__all__ = ["database_file", "opened_database", "opened_store", "settings_of", "store_folder"]

DATABASE = "sedna.db"


def settings_of(data: Path, store_url: str | None = None) -> ServiceSettings:
    """The settings of the service over a folder, as `sedna up` reads them.

    Raises:
        SpecError: one of them is wrong.
    """
    options: dict[str, object] = {"data_dir": data}
    return load_settings(options if store_url is None else {**options, "store_url": store_url})


def database_file(settings: ServiceSettings) -> Path | None:
    """The file of the database, or None where that is a server."""
    if settings.db_url is None:
        return settings.data_dir.absolute() / DATABASE
    parts = urlsplit(settings.db_url)
    return Path(unquote(parts.path[1:])).absolute() if parts.scheme.partition("+")[0] == "sqlite" else None


@contextlib.contextmanager
def opened_database(settings: ServiceSettings) -> Iterator[Database]:
    """The database as it is: a missing one is not made, an older one is not migrated.

    Raises:
        NotFoundError: there is none.
        ConflictError: it is at another schema than that of this program.
        DamagedDatabaseError: it is damaged.
    """
    require_restored(settings.data_dir)
    file = database_file(settings)
    if file is not None and not file.is_file():
        hint = "--data names the folder of the service; 'sedna up' makes one, 'sedna restore' brings one back"
        raise NotFoundError("there is no database", where=str(file), hint=hint)
    db = Database(file if file is not None else settings.db_url or "", settings.db, migrate=False)
    try:
        yield db
    finally:
        db.close()


@contextlib.contextmanager
def opened_store(settings: ServiceSettings, *, make: bool = False) -> Iterator[ObjectStore]:
    """The store.

    Args:
        make: also a folder that is not there.

    Raises:
        NotFoundError: it is a folder that is not there.
    """
    folder = store_folder(settings)
    if folder is not None and not make and not folder.is_dir():
        raise NotFoundError("there is no store", where=str(folder), hint="is it mounted?")
    store = open_store(settings.store_url or settings.data_dir.absolute() / "store", settings.s3)
    try:
        yield store
    finally:
        store.close()


def store_folder(settings: ServiceSettings) -> Path | None:
    """The folder of the store, or None where that is a service."""
    if settings.store_url is None:
        return settings.data_dir.absolute() / "store"
    parts = urlsplit(settings.store_url)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    return Path(settings.store_url).absolute() if not parts.scheme else None
