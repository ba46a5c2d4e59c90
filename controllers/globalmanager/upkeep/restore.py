"""Put a backup into the folder of a service. The database goes last: until then the folder is as it was.

What was there before is kept: a database is set aside, and objects of the store stay, also those that came later.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO, BinaryIO, cast

from globalmanager.db.migrate import head_revision, knows
from globalmanager.db.sqlite_files import companions, move_workers, require_whole, set_aside
from globalmanager.service.data_dir import UNFINISHED_RESTORE, DataDirLock
from globalmanager.service.settings import ServiceSettings
from globalmanager.upkeep.archive import DATABASE, SETTINGS, STORE, Header, check_archive, members
from globalmanager.upkeep.backup import require_file
from globalmanager.upkeep.opening import opened_store, settings_of
from sedna.common.atomic import fsync_dir, full_disk_as_error, sha256_file, write_atomic
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import Value
from sedna.store.base import ObjectStore
from sedna.store.download import sha256_stream

__all__ = ["RestoreReport", "restore"]

_DONE = "restored.json"
_SPOOL = 2**25


class RestoreReport(Value):
    """What a restore did. ``kept``: the files of the database that was there before."""

    header: Header
    already: bool
    objects: int
    present: int
    kept: tuple[str, ...] = ()


def restore(
    source: Path, data: Path, clock: Clock, *, replace: bool = False, store_url: str | None = None
) -> RestoreReport:
    """Put a backup into a folder. Cut short anywhere, the same call goes on; when it has ended, it changes nothing.

    Args:
        replace: also where there is a database, which is set aside.
        store_url: another store than that of the settings.

    Raises:
        DataError: the file is no backup, or not whole; nothing was touched.
        ConflictError: a service runs in the folder, it has a database already, or the backup is of a newer program.
        SpecError: the database of the settings is PostgreSQL.
        TemporaryError: the store or the disk do not take it.
    """
    header = check_archive(source)
    if not knows(header.schema_revision):
        message = f"it is of schema {header.schema_revision}, this version knows up to {head_revision()}"
        raise ConflictError(message, where=str(source), hint=f"install version {header.program} or later")
    data = data.absolute()
    with DataDirLock(data):
        return _Restore(source, data, header, clock).run(replace=replace, store_url=store_url)


class _Restore:
    def __init__(self, source: Path, data: Path, header: Header, clock: Clock) -> None:
        self._source, self._data, self._header, self._clock = source, data, header, clock
        self._mark = data / UNFINISHED_RESTORE
        self._done = data / _DONE

    def run(self, *, replace: bool, store_url: str | None) -> RestoreReport:
        going_on = _read(self._mark).get("id") == self._header.id
        if self._mark.exists() and not going_on and not replace:
            hint = "the same backup again, or --replace for this one"
            raise ConflictError("the restore of another backup did not end here", where=str(self._mark), hint=hint)
        if not self._mark.exists() and not replace and _read(self._done).get("id") == self._header.id:
            return RestoreReport(header=self._header, already=True, objects=0, present=0)
        # They say where the store is.
        self._settings_files()
        settings = settings_of(self._data, store_url)
        file = require_file(settings)
        if not going_on:
            self._begin(file, replace=replace)
        objects, present = self._objects(settings)
        kept = self._database(file)
        write_atomic(self._done, self._note())
        self._mark.unlink()
        fsync_dir(self._data)
        return RestoreReport(
            header=self._header, already=False, objects=objects, present=present, kept=tuple(map(str, kept))
        )

    def _begin(self, file: Path, *, replace: bool) -> None:
        there = [path for path in companions(file) if path.exists()]
        if there and not replace:
            hint = "--replace sets it aside and keeps it; or another folder"
            raise ConflictError("there is a database", where=str(there[0]), hint=hint)
        aside = _read(self._mark).get("aside") or f"{file.name}.before-{self._clock.now():%Y%m%dT%H%M%S}"
        write_atomic(self._mark, self._note(aside=aside))

    def _note(self, **more: str) -> bytes:
        return json.dumps({"id": self._header.id, "backup": str(self._source.absolute()), **more}).encode() + b"\n"

    def _settings_files(self) -> None:
        """Those that are not there; what a person has written here since stays."""
        for name, stream in members(self._source):
            if name.startswith(SETTINGS):
                path = self._data / Path(name).name
                if not path.exists():
                    write_atomic(path, stream.read(), mode=0o600)

    def _objects(self, settings: ServiceSettings) -> tuple[int, int]:
        """How many were put, and how many were there."""
        if not self._header.with_store:
            return 0, 0
        put = present = 0
        with opened_store(settings, make=True) as store:
            for name, stream in members(self._source):
                if name.startswith(STORE):
                    if _put(store, name.removeprefix(STORE), stream):
                        put += 1
                    else:
                        present += 1
        return put, present

    def _database(self, file: Path) -> list[Path]:
        made = file.with_name(f"{file.name}.restoring")
        for path in companions(made):
            path.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
        with full_disk_as_error(made), made.open("wb") as target:
            os.fchmod(target.fileno(), 0o600)
            for name, stream in members(self._source):
                if name == DATABASE:
                    shutil.copyfileobj(stream, target)
        move_workers(made, self._data / "work")
        require_whole(made)
        with made.open("rb") as written:
            os.fsync(written.fileno())
        alone = file.is_file() and not any(path.exists() for path in companions(file)[1:])
        if alone and sha256_file(file) == sha256_file(made):  # a try that was cut short has put it there
            made.unlink()
            return []
        kept = set_aside(file, _read(self._mark)["aside"])
        made.replace(file)
        fsync_dir(file.parent)
        return kept


def _put(store: ObjectStore, key: str, stream: IO[bytes]) -> bool:
    """Whether an object was written: where there was none, or another one, which the backup knows better.

    Orders, results and logs of rounds that are there are left: those may have grown since.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as aside:
        shutil.copyfileobj(stream, aside)
        aside.seek(0)
        if store.put_if_absent(key, cast(BinaryIO, aside)):
            return True
        if "/rounds/" in key:
            return False
        aside.seek(0)
        wanted = sha256_stream(cast(BinaryIO, aside))
        try:
            with store.open(key) as found:
                if sha256_stream(found) == wanted:
                    return False
        except NotFoundError:
            pass
        aside.seek(0)
        store.put(key, cast(BinaryIO, aside))
        return True


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
