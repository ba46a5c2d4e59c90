import subprocess
import sys
import threading

import pytest

from globalmanager.db import jobs, lease
from globalmanager.db.lease import LeaseLostError
from globalmanager.engine import Engine, process_identity
from sedna.common.errors import ConflictError


def engine(world):
    return Engine(world.db, world.store, world.runtime, world.clock, world.settings)


def test_a_second_engine_is_told_who_holds_the_lease(world):
    first, second = engine(world), engine(world)
    first.acquire()
    with pytest.raises(ConflictError) as caught:
        second.acquire()
    text = str(caught.value)
    assert f"held by {process_identity.describe()} since 2026-01-01 00:00:00Z" in text
    assert "expires 2026-01-01 00:00:15Z" in text
    assert not second.running


def test_a_released_lease_is_free_and_an_expired_one_is_taken_over(world):
    first, second, third = engine(world), engine(world), engine(world)
    first.acquire()
    first.stop()
    second.acquire()
    world.clock.advance(16)
    third.acquire()
    world.apply()
    third.tick()
    with pytest.raises(LeaseLostError, match="lost its lease"):
        second.tick()


def test_the_transaction_of_a_former_holder_is_refused_whole(world):
    world.apply()
    first = engine(world)
    first.acquire()
    world.clock.advance(16)
    engine(world).acquire()
    world.samples(8)
    before = world.job()
    with pytest.raises(LeaseLostError):
        first.tick()
    assert world.job().seq == before.seq
    assert world.runtime.specs == {}


def test_an_engine_in_threads_stops_itself_when_it_lost(world):
    world.apply()
    world.settings = world.settings.model_copy(update={"tick_seconds": 0.02})
    first = engine(world)
    first.start()
    with world.db.write() as session:
        lease.acquire(session, "another", "elsewhere", world.clock.now(), 15, is_free=lambda _: True)
    assert first._keeper.lost.wait(30)
    first._thread.join(30)
    assert not first.running
    first.stop()
    with world.db.read() as session:
        assert lease.current(session).token == 2


def test_waiting_for_the_lease(world):
    holder = engine(world)
    holder.acquire()
    world.settings = world.settings.model_copy(update={"tick_seconds": 0.02, "standby": True})
    waiting = engine(world)
    waiting.start()
    assert not waiting.running
    holder.stop()
    for _ in range(1000):
        if waiting.running:
            break
        threading.Event().wait(0.02)
    assert waiting.running
    waiting.stop()


def test_renewing_keeps_it_and_giving_it_back_twice_is_harmless(world):
    first, second = engine(world), engine(world)
    first.acquire()
    for _ in range(4):
        world.clock.advance(10)
        first._keeper.renew()
    with pytest.raises(ConflictError):
        second.acquire()
    first.stop()
    first.stop()
    second.acquire()
    second.stop()


def test_the_lease_of_a_dead_process_of_this_machine_is_taken_at_once(world):
    code = "from globalmanager.engine import process_identity; print(process_identity.claim())"
    path = [entry for entry in sys.path if entry]
    gone = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}; {code}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    with world.db.write() as session:
        lease.acquire(session, "here:1", gone, world.clock.now(), 15, is_free=lambda _: False)
    other = engine(world)
    other.acquire()
    other.stop()


@pytest.mark.parametrize("identity", ["", "another-boot:1/1/0/aa"], ids=["unknown", "other machine"])
def test_who_knows_is_not_dead(identity):
    assert not process_identity.is_dead(identity)


def test_two_writers_of_one_state_cannot_both_win(world):
    world.apply()
    job = world.job()
    with world.db.write() as session:
        jobs.swap_state(session, job.id, job.seq, job.state)
    with pytest.raises(ConflictError, match="moved on"), world.db.write() as session:
        jobs.swap_state(session, job.id, job.seq, job.state)
