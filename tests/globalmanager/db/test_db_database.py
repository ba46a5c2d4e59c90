import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text

from globalmanager.db import Database, events
from globalmanager.db.migrate import config_for, head_revision
from globalmanager.db.tables import Base
from sedna.common.errors import ConflictError, SpecError, StoreUnavailableError


def test_the_migrations_make_exactly_the_tables_of_the_code(tmp_path):
    db = Database(tmp_path / "x.db")
    with db.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": False})
        assert compare_metadata(context, Base.metadata) == []
    db.close()


@pytest.mark.sqlite
def test_a_database_of_the_first_schema_is_brought_up_to_date_with_its_rows(tmp_path):
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0001")
        connection.execute(text("INSERT INTO edges (name, software, registered_at) VALUES ('e', '', '2026-01-01')"))
    engine.dispose()
    db = Database(tmp_path / "old.db")
    with db.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == head_revision()
        assert session.execute(text("SELECT name FROM edges")).scalar_one() == "e"
        assert session.execute(text("SELECT count(*) FROM imported_images")).scalar_one() == 0
        assert session.execute(text("SELECT count(*) FROM imported_folders")).scalar_one() == 0
    db.close()


def test_opening_it_again_keeps_what_is_there(tmp_path, world):
    with world.db.write() as session:
        events.add(session, None, "Test", "hello", world.clock.now())
    again = Database(world.folder / "gm.db")
    with again.read() as session:
        assert events.newest_id(session) == 1
    again.close()


def test_a_newer_database_is_refused_and_left_alone(world):
    with world.db.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    with pytest.raises(ConflictError, match=f"schema ffff.*newest known: {head_revision()}"):
        Database(world.folder / "gm.db")
    with world.db.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "ffff"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db"])
def test_databases_that_cannot_keep_a_promise_are_refused(url):
    with pytest.raises(SpecError, match="database"):
        Database(url)


@pytest.mark.sqlite
def test_an_unreachable_folder_is_a_temporary_error(tmp_path):
    with pytest.raises(StoreUnavailableError, match="database"):
        Database(tmp_path / "no" / "such" / "folder" / "x.db")


@pytest.mark.sqlite
def test_durability_pragmas(db):
    with db.read() as session:
        values = {
            name: session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "synchronous")
        }
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    assert values == {"journal_mode": "wal", "synchronous": 2}


def test_a_failed_block_leaves_nothing(db, world):
    def work():
        with db.write() as session:
            events.add(session, None, "Test", "lost", world.clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    with db.read() as session:
        assert events.newest_id(session) == 0


def test_a_reader_sees_one_snapshot_while_others_write(db, world):
    with db.read() as reader:
        assert events.newest_id(reader) == 0
        with db.write() as session:
            events.add(session, None, "Test", "new", world.clock.now())
        assert events.newest_id(reader) == 0
    with db.read() as reader:
        assert events.newest_id(reader) == 1


def test_writers_of_many_threads_wait_for_each_other(db, world):
    def work():
        for _ in range(20):
            with db.write() as session:
                before = events.newest_id(session)
                events.add(session, None, "Test", str(before), world.clock.now())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with db.read() as session:
        found = events.after(session, 0)
    assert [event.id for event in found] == list(range(1, 81))
    assert [event.message for event in found] == [str(number) for number in range(80)]
