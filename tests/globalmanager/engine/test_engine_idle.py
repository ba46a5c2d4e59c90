"""A job that waits costs nothing: the engine looks at it when there is news of it, or its time has come."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from fixtures_gm import job_spec
from globalmanager.db import jobs, requests, workers
from sedna.common.errors import StoreUnavailableError
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind


class Inline(ThreadPoolExecutor):
    """Does at once what is submitted, and counts it."""

    def __init__(self):
        super().__init__(1)
        self.looks = 0

    def submit(self, work, /, *args, **kwargs):
        self.looks += 1
        work(*args, **kwargs)
        return Future()


@pytest.fixture
def idle(world):
    spec = job_spec()
    spec["trainSpec"]["trigger"] |= {"checkPeriodSeconds": 60, "condition": {**CONDITION, "threshold": 1000}}
    world.apply(spec)
    world.samples(8)
    world.tick(3)
    engine, pool = world.engine(), Inline()

    def looks():
        """How many looks a tick of the running engine takes, until it takes none."""
        before = pool.looks
        for _ in range(5):
            engine._dispatch(pool)
        return pool.looks - before

    assert looks() > 0, "the first tick of a new engine looks at every job"
    world.looks = looks
    return world


CONDITION = {"operator": ">=", "metric": "num_of_samples"}


def test_a_waiting_job_is_left_alone_until_its_check_period_is_over(idle):
    assert idle.looks() == 0
    idle.clock.advance(50)
    assert idle.looks() == 0
    idle.clock.advance(11)
    assert idle.looks() == 1


def test_news_of_a_job_makes_the_engine_look_whichever_process_wrote_it(idle):
    idle.samples(1)
    assert idle.looks() > 0
    assert idle.looks() == 0
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="because", requested_by="ann")
    with idle.db.write() as session:
        requests.add(session, idle.job(), wish, idle.clock.now())
    assert idle.looks() > 0
    assert idle.job().state.next_round == 2


def test_a_job_with_a_round_is_looked_at_at_every_tick(idle):
    idle.runtime.held = True
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="because", requested_by="ann")
    with idle.db.write() as session:
        requests.add(session, idle.job(), wish, idle.clock.now())
    idle.looks()
    assert idle.job().state.current is not None
    assert idle.looks() == 5


def test_a_deleted_job_is_tidied_and_never_looked_at_again(idle):
    with idle.db.write() as session:
        jobs.mark_deleted(session, idle.job().id, idle.clock.now())
    assert idle.looks() > 0
    idle.clock.advance(1e6)
    assert idle.looks() == 0


def test_what_failed_is_tried_again_when_its_time_has_come(world):
    world.apply(url="/nowhere/index.txt")
    engine, pool = world.engine(), Inline()
    for _ in range(3):
        engine._dispatch(pool)
    assert "/nowhere" in world.job().degraded
    before = pool.looks
    engine._dispatch(pool)
    assert pool.looks == before
    world.clock.advance(11)
    engine._dispatch(pool)
    assert pool.looks == before + 1


def test_a_worker_whose_stop_failed_once_is_stopped_soon(idle):
    """Its end changes nothing in the row of its job, and the job has nothing else to be looked at for."""
    idle.runtime.held = True
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="because", requested_by="ann")
    with idle.db.write() as session:
        requests.add(session, idle.job(), wish, idle.clock.now())
    idle.looks()
    stop, asked = idle.runtime.stop, []

    def fail_once(handle, grace_seconds):
        asked.append(handle.name)
        if len(asked) == 1:
            raise StoreUnavailableError("the API server is away")
        stop(handle, grace_seconds)

    idle.runtime.stop = fail_once
    job_id = idle.job().id
    with idle.db.write() as session:
        jobs.mark_deleted(session, job_id, idle.clock.now())
    idle.looks()
    assert len(asked) >= 2
    with idle.db.read() as session:
        assert workers.active(session, job_id) == ()
    assert idle.looks() == 0
