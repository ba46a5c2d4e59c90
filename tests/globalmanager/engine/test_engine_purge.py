"""A job that is deleted for good: nothing of it is left, and nothing of others is gone."""

import pytest
from sqlalchemy import func, select

from fixtures_gm import KEY, job_spec
from globalmanager.db import jobs
from globalmanager.db.tables import Base
from globalmanager.engine.apply import delete_job
from globalmanager.engine.purge import purge_job
from sedna.common.errors import ConflictError, NotFoundError, StoreUnavailableError
from sedna.store.layout import job_prefix


def purge(world, seconds=60.0):
    return purge_job(world.db, world.store, KEY, world.clock, by="anna", seconds=seconds)


def rows_of(world, job_id):
    """How many rows each table has of a job."""
    with world.db.read() as session:
        tables = [table for table in Base.metadata.sorted_tables if "job_id" in table.c]
        counts = {
            table.name: session.scalar(select(func.count()).select_from(table).where(table.c.job_id == job_id))
            for table in tables
        }
    return {name: count for name, count in counts.items() if count}


@pytest.fixture
def finished(world):
    """A job with a round behind it."""
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.champion == 2)
    return world


def test_nothing_is_left_of_it(finished):
    job_id = finished.job().id
    assert {"samples", "labels", "rounds", "model_versions", "dataset_versions", "workers"} <= rows_of(
        finished, job_id
    ).keys()
    finished.store.put("default/boards-2/samples/a.png", b"of another job")
    delete_job(finished.db, KEY, finished.clock.now())
    finished.tick()
    found = purge(finished)
    assert (found.done, found.deleted > 8) == (True, True)
    assert rows_of(finished, job_id) == {}
    assert list(finished.store.list(job_prefix(KEY))) == []
    assert finished.store.get("default/boards-2/samples/a.png") == b"of another job"
    assert finished.engine().tick() is False, "the engine has forgotten it as well"
    with pytest.raises(NotFoundError):
        purge(finished)
    finished.apply()
    finished.until(lambda job: job.state.champion == 1)


def test_one_that_is_in_service_stays(finished):
    with pytest.raises(ConflictError, match="in service"):
        purge(finished)
    assert finished.job().state.champion == 2


def test_it_goes_on_where_it_stopped_and_nobody_revives_it_meanwhile(finished, monkeypatch):
    delete_job(finished.db, KEY, finished.clock.now())
    finished.tick()

    def away(key):
        raise StoreUnavailableError("away")

    with monkeypatch.context() as patched:
        patched.setattr(finished.store, "delete", away)
        with pytest.raises(StoreUnavailableError):
            purge(finished)
    with pytest.raises(ConflictError, match="being deleted for good"):
        finished.apply(job_spec())
    with finished.db.read() as session:
        assert jobs.find(session, KEY) is not None
    assert purge(finished).done
