"""What PostgreSQL does otherwise than SQLite, and what must be the same all the same."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import text
from sqlalchemy.exc import StatementError

from fixtures_gm import BOX, KEY, START, job_spec, png, record_of
from fixtures_postgres import postgres_server
from globalmanager.db import (
    Database,
    datasets,
    edges,
    events,
    jobs,
    lines,
    models,
    resources,
    sample_labels,
    samples,
    tokens,
    workers,
)
from globalmanager.db.columns import storable
from globalmanager.db.settings import DatabaseSettings
from sedna.common.errors import NotFoundError, SpecError, StoreUnavailableError
from sedna.common.extras import MissingPackageError
from sedna.common.types import JobKey
from sedna.loop.spec import JobSpec
from sedna.loop.state import Stage

__all__ = ["postgres_server"]


@pytest.fixture
def url(postgres_server):
    made = postgres_server.database()
    yield made
    postgres_server.drop(made)


@pytest.fixture
def db(url):
    made = Database(url)
    yield made
    made.close()


@pytest.fixture
def job(db):
    with db.write() as session:
        return jobs.insert(session, KEY, JobSpec.model_validate(job_spec()), {}, START)


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_common_way_to_write_the_url(url, scheme):
    opened = Database(url.replace("postgresql", scheme, 1))
    assert opened.dialect == "postgresql"
    opened.close()


@pytest.mark.parametrize("wrong", ["postgresql+asyncpg://u:secret@h/d", "postgresql://u:secret@h:port/d", "://x"])
def test_a_wrong_url_is_refused_without_its_password(wrong):
    with pytest.raises(SpecError, match="postgresql://") as caught:
        Database(wrong)
    assert "secret" not in str(caught.value)


def test_without_the_driver_it_says_what_to_install(monkeypatch, url):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingPackageError, match=r"PostgreSQL: needs the package 'psycopg'.*postgres"):
        Database(url)


def test_a_server_that_is_not_there_is_a_temporary_error(url):
    with pytest.raises(StoreUnavailableError, match="database"):
        Database("postgresql://u:secret@127.0.0.1:1/x")


def test_settings_reach_the_session_and_those_of_the_url_win(url):
    settings = DatabaseSettings(statement_seconds=7, lock_seconds=3, keepalive_seconds=9)
    opened = Database(f"{url}?application_name=mine&options=-c%20statement_timeout%3D8000", settings)
    with opened.read() as session:
        shown = {
            name: session.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("statement_timeout", "lock_timeout", "tcp_keepalives_idle", "application_name", "TimeZone")
        }
        assert session.execute(text("SHOW transaction_isolation")).scalar_one() == "repeatable read"
        assert session.execute(text("SHOW transaction_read_only")).scalar_one() == "on"
    with opened.write() as session:
        assert session.execute(text("SHOW transaction_isolation")).scalar_one() == "read committed"
        assert session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one() == "10s"
    opened.close()
    assert shown == {
        "statement_timeout": "8s", "lock_timeout": "3s", "tcp_keepalives_idle": "9", "application_name": "mine",
        "TimeZone": "UTC",
    }  # fmt: skip


# --- connections -----------------------------------------------------------------------------------------------------


def test_a_pool_that_is_used_up_is_a_temporary_error_and_the_lease_has_its_own(url):
    opened = Database(url, DatabaseSettings(pool_size=1, pool_overflow=0, pool_seconds=0.2))
    with opened.read() as session:
        events.newest_id(session)
        with pytest.raises(StoreUnavailableError, match="every connection"), opened.write() as second:
            events.newest_id(second)
        with opened.write(urgent=True) as second:
            events.add(second, None, "Test", "x", START)
    opened.close()


def test_killed_connections_cost_one_try(postgres_server, db, url):

    def killed():
        with db.write() as session:
            events.add(session, None, "Test", "lost", START)
            postgres_server.execute(_KILL, url)
            events.add(session, None, "Test", "lost as well", START)

    with pytest.raises(StoreUnavailableError):
        killed()
    for number in range(3):
        with db.write() as session:
            events.add(session, None, "Test", str(number), START)
    with db.read() as session:
        assert [event.message for event in events.after(session, 0)] == ["0", "1", "2"]


_KILL = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


def test_a_statement_that_takes_too_long_is_ended_as_a_temporary_error(url):
    opened = Database(url, DatabaseSettings(statement_seconds=0.2))
    with pytest.raises(StoreUnavailableError, match="statement timeout"), opened.read() as session:
        session.execute(text("SELECT pg_sleep(30)"))
    opened.close()


def test_a_server_that_has_become_read_only_is_left_for_the_primary(postgres_server, db, url):
    """After a failover old connections may still lead to the former primary."""
    name = url.rpartition("/")[2]
    with db.write() as session:
        events.add(session, None, "Test", "before", START)
        session.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(StoreUnavailableError, match="read-only"), db.write() as session:
        events.add(session, None, "Test", "refused", START)
    with db.write() as session:
        events.add(session, None, "Test", "after", START)
    postgres_server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    with pytest.raises(StoreUnavailableError, match="read-only"):
        Database(url)


# --- values ----------------------------------------------------------------------------------------------------------


def test_times_are_the_same_instant_in_utc_whatever_the_zone(db, postgres_server, url):
    name = url.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE \"{name}\" SET timezone = 'Asia/Kathmandu'")
    there = Database(url)
    given = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with there.write() as session:
        events.add(session, None, "Test", "x", given)
    for opened in (there, db):
        with opened.read() as session:
            [event] = events.after(session, 0)
        assert (event.at, event.at.tzinfo) == (given, UTC)
    with pytest.raises(StatementError, match="naive"), db.write() as session:
        edges.register(session, "e", datetime(2026, 1, 1))  # noqa: DTZ001
    there.close()


@pytest.mark.parametrize(
    "value",
    [
        {"text": "ä\u2028\U0001f600", "b": [1, 1.5, True, None, {"deep": [[]]}], "": "empty"},
        {"big": 2**63, "small": -(2**70), "tiny": 1e-300, "whole": 1.0},
    ],
    ids=["shapes", "numbers"],
)
def test_json_comes_back_as_it_was(db, value):
    with db.write() as session:
        resources.put(session, "Model", KEY, value, {"none": None}, START)
    with db.read() as session:
        row = resources.get(session, "Model", KEY)
    assert row.spec == value
    assert row.metadata == {"none": None}


@pytest.mark.parametrize("value", ["a\0b", "\ud800"], ids=["NUL", "half a character"])
def test_a_person_hears_what_cannot_be_kept(db, job, value):
    with pytest.raises(SpecError, match=r"NUL character|no UTF-8"), db.write() as session:
        tokens.create(session, value, "admin", START)
    with pytest.raises(SpecError, match=r"NUL character|no place in the database"), db.write() as session:
        resources.put(session, "Model", KEY, {"url": value}, {}, START)
    with db.read() as session:
        assert resources.list_all(session) == ()


def test_what_a_program_wrote_is_kept_as_far_as_it_can_be(db, job):
    dirty = "log\0 of a \ud800 program"
    clean = "log\ufffd of a ? program"
    with db.write() as session:
        row = workers.ensure(session, job.id, 1, Stage.TRAINING, 1, name="w", handle={}, now=START)
        workers.waits(session, row.id, "Cause", dirty, START)
        workers.reported(session, row.id, {"m": [float("nan"), float("inf"), dirty], dirty: 1})
        events.add(session, job.id, "Test", dirty, START, data={"x": dirty})
        assert jobs.set_degraded(session, job.id, dirty, START)
        assert not jobs.set_degraded(session, job.id, dirty, START), "the same is no news"
        assert lines.put(session, job.id, False, "0" * 64, dirty)
        assert not lines.put(session, job.id, False, "0" * 64, dirty)
    with db.read() as session:
        found = workers.by_name(session, "w")
        assert (found.waiting, found.report) == (clean, {"m": [None, None, clean], clean: 1})
        [event] = events.after(session, 0)
        assert (event.message, event.data) == (clean, {"x": clean})
        assert jobs.get(session, KEY).degraded == clean
    assert storable({"a": (1, "x")}) == {"a": [1, "x"]}


def test_numbers_out_of_range_are_refused(db, job):
    with pytest.raises(SpecError, match="too large"), db.write() as session:
        samples.insert(session, job.id, record_of(png(1), version=2**31), START)
    for number in (2**31, 2**63, 10**30):
        with pytest.raises(SpecError, match="too large"), db.read() as session:
            models.get(session, job.id, number)
    with pytest.raises(NotFoundError), db.read() as session:
        models.get(session, job.id, 2**31 - 1)


def test_names_are_sorted_by_their_bytes_as_on_sqlite(db):
    names = ["a", "a-1", "a-b", "a1", "aa", "ab-a", "abb", "b"]
    with db.write() as session:
        for name in reversed(names):
            jobs.insert(session, JobKey(name=name), JobSpec.model_validate(job_spec()), {}, START)
            edges.register(session, name, START)
            tokens.create(session, name.upper(), "admin", START)
            tokens.create(session, name, "admin", START)
    with db.read() as session:
        assert [row.key.name for row in jobs.list_all(session)] == names
        assert [row.name for row in edges.list_all(session)] == names
        assert [row.name for row in tokens.list_all(session)] == [*(name.upper() for name in names), *names]


def test_a_prefix_of_authors_is_compared_letter_by_letter(db, job):
    with db.write() as session:
        record = record_of(png(1))
        samples.insert(session, job.id, record, START)
        sample_labels.add_label(session, job.id, record.sample_id, BOX, "a%b_c: x", START)
        for prefix, found in (("a%b_c:", True), ("a%", True), ("A%", False), ("axb", False)):
            assert (sample_labels.last_label(session, job.id, record.sample_id, prefix) is not None) == found


def test_more_names_than_a_statement_takes_parameters(db, job):
    with db.write() as session:
        samples.insert(session, job.id, record_of(png(1)), START, source="7.png")
        found = samples.by_source(session, job.id, [f"{number}.png" for number in range(70_000)])
        assert found == {"7.png": record_of(png(1)).sample_id}


def test_a_stream_of_rows_comes_in_parts(db, job):
    """Members of a dataset version are read through a cursor of the server, not all at once."""
    names = [record_of(png(number)).sample_id for number in range(1100)]
    with db.write() as session:
        for number, name in enumerate(names):
            samples.insert(session, job.id, record_of(png(number)), START)
            sample_labels.add_label(session, job.id, name, BOX, "ann", START)
    with db.read() as session:
        members = datasets.members(session, job.id, len(names))
        assert next(members).sample_id == names[0]
        assert session.execute(text("SELECT count(*) FROM pg_cursors")).scalar_one() == 1
        assert [member.sample_id for member in members] == names[1:]
