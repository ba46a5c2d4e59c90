"""A SQLite file that is damaged, or copied while it is written."""

import threading

import pytest

from fixtures_gm import fresh_database
from globalmanager.db import Database, events
from globalmanager.db.sqlite_files import DamagedDatabaseError, copy_database, require_whole
from sedna.common.clock import SystemClock
from sedna.common.errors import ConflictError, NotFoundError

pytestmark = pytest.mark.sqlite


def filled(path, number=400):
    db = fresh_database(path)
    with db.write() as session:
        for one in range(number):
            events.add(session, None, "Test", f"event {one} " + "x" * 200, SystemClock().now())
    db.close()
    return path


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "sedna.db"
    path.write_bytes(b"this is no database at all" * 100)
    with pytest.raises(DamagedDatabaseError, match=r"sedna\.db: the database is damaged: file is not a database"):
        Database(path)
    assert path.read_bytes().startswith(b"this is no database")


def test_a_page_of_garbage_is_found_at_the_start_and_the_way_back_is_said(tmp_path):
    path = filled(tmp_path / "sedna.db")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 3 * 4096] = b"\xff" * 3 * 4096
    path.write_bytes(data)
    with pytest.raises(DamagedDatabaseError, match=r"sedna restore BACKUP.*sedna repair") as caught:
        Database(path)
    assert caught.value.where == str(path)
    with pytest.raises(DamagedDatabaseError):
        require_whole(path)
    with pytest.raises(DamagedDatabaseError):
        copy_database(path, tmp_path / "copy.db")


def test_damage_that_a_statement_meets_is_named_as_well(tmp_path):
    path = filled(tmp_path / "sedna.db")
    db = Database(path)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size - size // 4096 // 2 * 4096)
    with pytest.raises(DamagedDatabaseError, match=r"sedna\.db: the database is damaged"), db.read() as session:
        list(events.after(session, 0, limit=1000))
    db.close()


def test_an_empty_file_becomes_a_database_as_before(tmp_path):
    (tmp_path / "sedna.db").touch()
    Database(tmp_path / "sedna.db").close()
    require_whole(tmp_path / "sedna.db")


def test_a_copy_is_one_moment_of_a_database_that_is_written_meanwhile(tmp_path):
    path = filled(tmp_path / "sedna.db", 10)
    db = Database(path)
    stop = threading.Event()

    def write():
        while not stop.is_set():
            with db.write() as session:  # two at a time: half of it is no moment
                for _ in range(2):
                    events.add(session, None, "Pair", "one of two", SystemClock().now())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            copy_database(path, tmp_path / f"copy{number}.db")
    finally:
        stop.set()
        writer.join()
        db.close()
    for number in range(5):
        assert not (tmp_path / f"copy{number}.db-wal").exists()
        copy = Database(tmp_path / f"copy{number}.db", migrate=False)
        with copy.read() as session:
            found = [event.kind for event in events.after(session, 0, limit=100_000)]
        copy.close()
        assert found[:10] == ["Test"] * 10
        assert len(found) % 2 == 0


def test_a_copy_replaces_nothing_and_needs_something(tmp_path):
    path = filled(tmp_path / "sedna.db", 1)
    (tmp_path / "there").write_bytes(b"mine")
    with pytest.raises(ConflictError, match="exists"):
        copy_database(path, tmp_path / "there")
    with pytest.raises(NotFoundError, match="no such database"):
        copy_database(tmp_path / "none.db", tmp_path / "copy")
    assert not (tmp_path / "none.db").exists()


def test_without_migration_another_schema_is_refused(tmp_path):
    (tmp_path / "sedna.db").touch()
    with pytest.raises(ConflictError, match=r"at schema none.*'sedna up'"):
        Database(tmp_path / "sedna.db", migrate=False)
