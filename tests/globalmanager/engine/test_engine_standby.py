"""Several engines on one database: one drives, the others stand by."""

from datetime import timedelta

import pytest

from fixtures_gm import START
from fixtures_service import eventually
from globalmanager.db import lease
from globalmanager.engine import Engine
from globalmanager.engine.lease_keeper import LeaseKeeper
from sedna.common.clock import SettableClock, SystemClock
from sedna.common.errors import StoreUnavailableError

SHORT = 0.6


@pytest.fixture
def engines(world):
    """Makes engines that stand by, with the machine's clock and a short lease."""
    made = []

    def make():
        settings = world.settings.model_copy(
            update={"tick_seconds": 0.02, "standby": True, "lease_seconds": SHORT, "parallel_jobs": 1}
        )
        made.append(Engine(world.db, world.store, world.runtime, SystemClock(), settings))
        made[-1].start()
        return made[-1]

    yield make
    for engine in made:
        engine.stop()


def keepers(world, *clocks):
    return [LeaseKeeper(world.db, clock, world.settings) for clock in clocks]


def token(world):
    with world.db.read() as session:
        return lease.current(session).token


def test_one_drives_and_the_others_stand_by(world, engines):
    world.apply()
    first = engines()
    eventually(lambda: first.running)
    second, third = engines(), engines()
    for waiting in (second, third):
        assert (waiting.running, waiting.leads, waiting.standing_by) == (False, False, True)
        waiting.wake()
    assert (first.running, first.leads, first.standing_by) == (True, True, False)
    eventually(lambda: world.job().state.champion == 1)
    turns = [waiting.last_turn for waiting in (second, third)]
    eventually(lambda: all(waiting.last_turn > turn for waiting, turn in zip((second, third), turns, strict=True)))
    assert [waiting.last_tick for waiting in (second, third)] == [None, None]


def test_one_that_ends_well_is_followed_at_once_by_exactly_one(world, engines):
    first = engines()
    eventually(lambda: first.running)
    others = engines(), engines()
    first.stop()
    assert not first.standing_by
    eventually(lambda: any(other.running for other in others))
    assert [other.running for other in others].count(True) == 1
    assert token(world) == 2


def test_one_that_does_not_renew_is_followed_and_stands_by_itself_until_it_is_needed(world, engines):
    world.apply()
    first = engines()
    eventually(lambda: first.last_tick is not None)
    second = engines()
    first._keeper.renew = lambda: None  # as in a process that sleeps: neither its thread nor its loop renews
    eventually(lambda: second.running)
    del first._keeper.renew
    world.samples(1)
    eventually(lambda: first.standing_by)
    assert not first.leads
    assert token(world) >= 2
    second.stop()
    eventually(lambda: first.running and first.last_tick is not None)
    assert first.leads


def test_the_clocks_of_two_machines_need_not_agree(world):
    for hours in (1, -1):
        here, there = SettableClock(START), SettableClock(START + timedelta(hours=hours))
        holder, waiting = keepers(world, here, there)
        assert holder.acquire()
        for _ in range(5):
            assert not waiting.try_acquire()
            for clock in (here, there):
                clock.advance(10)
            holder.renew()
        assert holder.holds
        assert not waiting.try_acquire()
        for clock in (here, there):
            clock.advance(14)
        assert not waiting.try_acquire()
        for clock in (here, there):
            clock.advance(1)
        assert not holder.holds
        assert waiting.try_acquire()
        holder.renew()
        assert holder.lost.is_set()
        waiting.release()
        holder.release()


def test_a_time_in_which_the_database_did_not_answer_is_no_silence_of_the_holder(world, monkeypatch):
    holder, waiting = keepers(world, world.clock, world.clock)
    holder.acquire()
    assert not waiting.try_acquire()
    with monkeypatch.context() as patch:
        patch.setattr(world.db, "read", _away)
        world.clock.advance(60)
        with pytest.raises(StoreUnavailableError):
            waiting.try_acquire()
    assert not waiting.try_acquire(), "the holder could not renew either"
    holder.renew()
    assert holder.holds
    assert not holder.lost.is_set()
    world.clock.advance(14)
    assert not waiting.try_acquire()


def _away():
    raise StoreUnavailableError("the database does not answer")


def test_a_lease_that_is_renewed_at_the_last_moment_stays_where_it_is(world, monkeypatch):
    holder, waiting = keepers(world, world.clock, world.clock)
    holder.acquire()
    assert not waiting.try_acquire()
    world.clock.advance(15)
    take = waiting._take

    def late(is_free):
        holder.renew()
        return take(is_free)

    monkeypatch.setattr(waiting, "_take", late)
    assert not waiting.try_acquire()
    assert token(world) == 1


def test_an_engine_that_slept_through_its_lease_asks_before_it_does_anything(world):
    """Its renewals come in a thread of their own, which may wake later than the one that drives."""
    world.apply()
    world.settings = world.settings.model_copy(update={"tick_seconds": 0.02, "lease_seconds": 3600.0})
    sleeper = Engine(world.db, world.store, world.runtime, world.clock, world.settings)
    sleeper.start()
    eventually(lambda: sleeper.last_tick is not None)
    with world.db.write() as session:
        lease.acquire(session, "another", "elsewhere", world.clock.now(), 3600, is_free=lambda _: True)
    world.clock.advance(3601)
    sleeper._thread.join(60)
    assert not sleeper.running
    sleeper.stop()
