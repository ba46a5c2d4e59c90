"""Migrations on a real PostgreSQL: several services that start at once, an old program at a new schema."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from fixtures_postgres import postgres_server
from globalmanager.db import Database, events
from globalmanager.db.migrate import config_for, head_revision
from globalmanager.db.settings import DatabaseSettings
from globalmanager.db.tables import Base
from sedna.common.errors import ConflictError, StoreUnavailableError

__all__ = ["postgres_server"]

OPEN = """
import sys
sys.path[:0] = {path!r}
from globalmanager.db import Database
print("ready", flush=True)
sys.stdin.readline()
db = Database({url!r})
with db.read() as session:
    print(session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
db.close()
"""


def test_the_migrations_make_exactly_the_tables_and_types_of_the_code(postgres_server):
    db = Database(postgres_server.empty())
    with db.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    db.close()


def test_of_processes_that_open_an_empty_database_at_once_one_migrates_it(postgres_server):
    code = OPEN.format(path=[entry for entry in sys.path if entry], url=postgres_server.empty())
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    for process in started:
        assert process.stdout.readline() == "ready\n"
    for process in started:
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [(*process.communicate(timeout=120), process.returncode) for process in started]
    assert ended == [(f"{head_revision()}\n", "", 0)] * 3


def test_a_database_of_the_first_schema_is_brought_up_to_date_with_its_rows(postgres_server):
    url = postgres_server.empty()
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0001")
        connection.execute(text("INSERT INTO edges (name, software, registered_at) VALUES ('e', '', '2026-01-01')"))
    engine.dispose()
    db = Database(url)
    with db.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == head_revision()
        assert session.execute(text("SELECT name FROM edges")).scalar_one() == "e"
    db.close()


def test_an_older_program_refuses_a_newer_schema_and_leaves_it_alone(postgres_server):
    url = postgres_server.database()
    postgres_server.execute("UPDATE alembic_version SET version_num = '9999'", url)
    with pytest.raises(ConflictError, match=f"schema 9999.*newest known: {head_revision()}.*install that version"):
        Database(url)
    assert postgres_server.execute("SELECT version_num FROM alembic_version", url) == [("9999",)]


def test_a_migration_that_another_service_does_not_finish_is_waited_for_and_not_for_ever(postgres_server):
    url = postgres_server.database()
    other = Database(url)
    inside, over = threading.Event(), threading.Event()

    def hold():
        with other.write() as session:
            events.newest_id(session)  # with the first statement the lock is taken
            inside.set()
            over.wait(60)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(60)
    with pytest.raises(StoreUnavailableError, match="lock timeout"):
        Database(url, DatabaseSettings(migration_seconds=0.2))
    over.set()
    holder.join()
    Database(url, DatabaseSettings(migration_seconds=60)).close()
    other.close()


def test_a_migration_that_fails_leaves_the_schema_as_it_was(postgres_server):
    """PostgreSQL's definitions are part of the transaction: half a migration does not exist."""
    url = postgres_server.empty()
    postgres_server.execute("CREATE TABLE imported_images (id int)", url)
    with pytest.raises(Exception, match="already exists"):
        Database(url)
    rows = postgres_server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", url)
    assert rows == [("imported_images",)]
