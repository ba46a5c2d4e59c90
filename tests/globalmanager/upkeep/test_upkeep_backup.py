"""Backups: of a running service, put back elsewhere or over a damaged one, cut short anywhere."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import threading

import pytest

from fixtures_gm import KEY, START, World
from globalmanager.db import Database, jobs, samples
from globalmanager.db.migrate import head_revision
from globalmanager.service.data_dir import DataDirLock
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from globalmanager.upkeep.archive import check_archive
from globalmanager.upkeep.backup import backup
from globalmanager.upkeep.opening import settings_of
from globalmanager.upkeep.repair import repair
from globalmanager.upkeep.restore import restore
from sedna.common.clock import SettableClock, SystemClock
from sedna.common.errors import ConflictError, DataError, NotFoundError, SpecError
from sedna.store import FolderStore

pytestmark = pytest.mark.sqlite

CLOCK = SettableClock(START)


def world_in(folder):
    folder.mkdir()
    world = World(folder)
    world.apply()
    return world


@pytest.fixture
def data(tmp_path):
    """The folder of a service after a round."""
    folder = tmp_path / "data"
    world = world_in(folder)
    world.samples(8)
    world.until(lambda job: bool(job.state.history))
    world.close()
    (folder / "gm.db").rename(folder / "sedna.db")
    (folder / "service.yaml").write_text("log_level: WARNING\n")
    (folder / "admin.token").write_text("secret\n")
    return folder


@pytest.fixture
def saved(data, tmp_path):
    backup(settings_of(data), tmp_path / "saved.tar", CLOCK)
    return tmp_path / "saved.tar"


def content(data):
    """What the database says of the job, and every object of the store."""
    db = Database(data / "sedna.db", migrate=False)
    with db.read() as session:
        job = jobs.get(session, KEY)
        page = samples.list_page(session, job.id, limit=1000)
    db.close()
    store = FolderStore(data / "store")
    return job, page, {info.key: store.get(info.key) for info in store.list()}


def test_a_backup_put_back_elsewhere_is_the_same_and_a_second_time_changes_nothing(data, saved, tmp_path):
    copy = tmp_path / "copy"
    done = restore(saved, copy, CLOCK)
    assert (done.already, done.present, done.kept) == (False, 0, ())
    assert content(copy) == content(data)
    assert done.objects == len(content(data)[2])
    assert (copy / "service.yaml").read_text() == "log_level: WARNING\n"
    assert (copy / "admin.token").read_text() == "secret\n"
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and ".lock" not in path.name}
    assert restore(saved, copy, CLOCK).already
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if path.is_file() and ".lock" not in path.name}
    assert {path: after.get(path) for path in before if not path.name.startswith("sedna.db-")} == {
        path: at for path, at in before.items() if not path.name.startswith("sedna.db-")
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "data", "saved.tar"]
    assert saved.stat().st_mode & 0o077 == 0


def test_a_damaged_database_is_set_aside_and_what_came_later_is_taken_back(data, saved):
    world_ids = {row.record.sample_id for row in content(data)[1].items}
    db = Database(data / "sedna.db")
    later = World.__new__(World)
    later.db, later.store, later.clock, later.images = db, FolderStore(data / "store"), SettableClock(START), 100
    new = later.sample(label=None)
    db.close()
    (data / "sedna.db").write_bytes(b"garbage")
    with pytest.raises(ConflictError, match="there is a database"):
        restore(saved, data, CLOCK)
    done = restore(saved, data, CLOCK, replace=True)
    assert [path.rpartition("/")[2] for path in done.kept][:1] == [f"sedna.db.before-{START:%Y%m%dT%H%M%S}"]
    assert (data / f"sedna.db.before-{START:%Y%m%dT%H%M%S}").read_bytes() == b"garbage"
    db = Database(data / "sedna.db", migrate=False)
    report = repair(db, FolderStore(data / "store"), SystemClock(), dry_run=False)
    db.close()
    assert [finding.what for finding in report.findings] == [new]
    assert {row.record.sample_id for row in content(data)[1].items} == world_ids | {new}


def test_objects_that_are_there_stay_and_damaged_ones_are_put_back(data, saved):
    store = FolderStore(data / "store")
    keys = [info.key for info in store.list(f"{KEY}/samples/") if info.key.endswith(".png")]
    good = store.get(keys[0])
    store.put(keys[0], b"garbage")
    store.delete(keys[1])
    store.put(f"{KEY}/samples/mine.txt", b"later")
    log = next(info.key for info in store.list(f"{KEY}/rounds/"))
    store.put(log, b"grown since")
    done = restore(saved, data, CLOCK, replace=True)
    assert done.objects == 2
    assert store.get(keys[0]) == good
    assert store.stat(keys[1]) is not None
    assert (store.get(f"{KEY}/samples/mine.txt"), store.get(log)) == (b"later", b"grown since")


def test_half_a_backup_and_a_changed_one_are_refused_before_anything_is_touched(data, saved, tmp_path):
    whole = saved.read_bytes()
    with tarfile.open(saved) as tar:
        at = next(info.offset_data for info in tar if info.name.endswith(".png"))
    for name, broken in {
        "half.tar": whole[: len(whole) // 2],
        "end.tar": whole[: len(whole) - 20_000 // 512 * 512],
        "bit.tar": whole[: at + 5] + bytes([whole[at + 5] ^ 1]) + whole[at + 6 :],
        "other.tar": b"no tar at all" * 100,
    }.items():
        (tmp_path / name).write_bytes(broken)
        with pytest.raises(DataError, match=name):
            restore(tmp_path / name, tmp_path / "copy", CLOCK)
    with pytest.raises(NotFoundError):
        restore(tmp_path / "none.tar", tmp_path / "copy", CLOCK)
    assert not (tmp_path / "copy").exists()


def test_a_running_service_is_not_replaced_and_a_backup_replaces_no_file(data, saved):
    with DataDirLock(data), pytest.raises(ConflictError, match="a service runs in this folder"):
        restore(saved, data, CLOCK, replace=True)
    before = saved.read_bytes()
    with pytest.raises(ConflictError, match="this file exists"):
        backup(settings_of(data), saved, CLOCK)
    assert saved.read_bytes() == before


def test_without_objects_only_the_database_comes_back(data, tmp_path):
    made = backup(settings_of(data), tmp_path / "small.tar", CLOCK, with_store=False)
    assert made.objects is None
    assert check_archive(tmp_path / "small.tar").store == str(data / "store")
    restore(tmp_path / "small.tar", tmp_path / "copy", CLOCK)
    assert not (tmp_path / "copy" / "store").exists()
    with pytest.raises(NotFoundError, match="there is no database"):
        backup(settings_of(tmp_path / "none"), tmp_path / "x.tar", CLOCK, with_store=False)
    assert not (tmp_path / "x.tar").exists()


def test_postgresql_has_its_own_tools(tmp_path, monkeypatch):
    monkeypatch.setenv("SEDNA__DB_URL", "postgresql://u:p@host/name")
    with pytest.raises(SpecError, match=r"pg_dump.*sedna repair"):
        backup(settings_of(tmp_path), tmp_path / "x.tar", CLOCK)


def test_a_backup_of_a_newer_program_is_refused(data, tmp_path):
    with sqlite3.connect(data / "sedna.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    backup(settings_of(data), tmp_path / "new.tar", CLOCK)
    with pytest.raises(ConflictError, match=f"schema 9999, this version knows up to {head_revision()}"):
        restore(tmp_path / "new.tar", tmp_path / "copy", CLOCK)


def test_workers_of_the_original_are_not_taken_over_by_the_copy(data, tmp_path):
    with sqlite3.connect(data / "sedna.db") as connection:
        connection.execute(
            "UPDATE workers SET ended_at = NULL, handle = ?", ('{"folder": "/elsewhere/work/boards-1-train-1"}',)
        )
    connection.close()
    backup(settings_of(data), tmp_path / "w.tar", CLOCK)
    restore(tmp_path / "w.tar", tmp_path / "copy", CLOCK)
    with sqlite3.connect(tmp_path / "copy" / "sedna.db") as connection:
        found = {row[0] for row in connection.execute("SELECT handle FROM workers")}
    connection.close()
    assert found == {f'{{"folder": "{tmp_path}/copy/work/boards-1-train-1"}}'}


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from datetime import UTC, datetime
from pathlib import Path
from globalmanager.upkeep import restore as module
from sedna.common.clock import SettableClock

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

{how}
module.restore(Path({saved!r}), Path({data!r}), SettableClock(datetime(2026, 3, 1, tzinfo=UTC)), replace=True)
"""
KILLS = {
    "after three objects": """
count = 0
def put(*arguments):
    global count
    count += 1
    if count == 3:
        die()
    return before(*arguments)
before, module._put = module._put, put
""",
    "before the database": "module.set_aside = die",
    "while it is set aside": """
def set_aside(path, name):
    path.replace(path.with_name(name))
    die()
module.set_aside = set_aside
""",
    "before the new one is there": """
def set_aside(path, name):
    before(path, name)
    die()
before, module.set_aside = module.set_aside, set_aside
""",
    "before the end is noted": """
def fsync_dir(path):
    die()
module.fsync_dir = fsync_dir
""",
}


@pytest.mark.parametrize("how", KILLS)
def test_killed_in_between_nothing_starts_until_the_same_restore_has_ended(data, saved, how):
    old = content(data)
    (data / "sedna.db").write_bytes(b"the old one")
    (data / "sedna.db-wal").write_bytes(b"its log")
    path = [entry for entry in sys.path if entry]
    code = KILLED.format(path=path, how=KILLS[how], saved=str(saved), data=str(data))
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with pytest.raises(ConflictError, match=r"did not end.*sedna restore"):
        Service(ServiceSettings(data_dir=data, port=0))
    done = restore(saved, data, CLOCK)
    assert not done.already
    assert content(data) == old
    assert (data / "sedna.db.before-20260301T000000").read_bytes() == b"the old one"
    assert (data / "sedna.db.before-20260301T000000-wal").read_bytes() == b"its log"
    assert restore(saved, data, CLOCK).already
    assert content(data) == old
    assert not (data / "restore.unfinished").exists()


def test_a_backup_that_is_killed_leaves_no_file_of_its_name(data, tmp_path):
    code = f"""
import os, signal, sys
sys.path[:0] = {[entry for entry in sys.path if entry]!r}
from pathlib import Path
from globalmanager.upkeep import archive, backup
from globalmanager.upkeep.opening import settings_of
from sedna.common.clock import SystemClock
backup._add_objects = lambda store, writer: os.kill(os.getpid(), signal.SIGKILL)
backup.backup(settings_of(Path({str(data)!r})), Path({str(tmp_path / "b.tar")!r}), SystemClock())
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "b.tar").exists()
    backup(settings_of(data), tmp_path / "b.tar", CLOCK)
    check_archive(tmp_path / "b.tar")


def test_while_a_service_writes_each_backup_is_one_moment(data, tmp_path):
    """The service itself runs; the copy starts as a service of its own beside it."""
    service = Service(ServiceSettings(data_dir=data, port=0))
    service.start()
    stop = threading.Event()
    world = World.__new__(World)
    world.db, world.store, world.clock, world.images = service.api.db, service.api.store, SystemClock(), 1000

    def upload():
        while not stop.is_set():
            world.sample()

    writer = threading.Thread(target=upload)
    writer.start()
    try:
        backup(settings_of(data), tmp_path / "live.tar", SystemClock())
        copy = tmp_path / "copy"
        restore(tmp_path / "live.tar", copy, SystemClock())
        db = Database(copy / "sedna.db", migrate=False)
        report = repair(db, FolderStore(copy / "store"), SystemClock(), dry_run=True)
        db.close()
        assert not report.open, "whatever the database speaks of is in the store"
        second = Service(ServiceSettings(data_dir=copy, port=0))
        second.start()
        assert second.fault() is None
        second.stop()
    finally:
        stop.set()
        writer.join()
        service.stop()
