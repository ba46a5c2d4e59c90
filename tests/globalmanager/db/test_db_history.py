"""Decisions, events, requests, edges, tokens: small tables with one rule each."""

from datetime import timedelta

import pytest

from fixtures_gm import KEY
from globalmanager.db import decisions, edges, events, jobs, models, tokens, workers
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage
from sedna.loop.verdict import Decision, DecisionKind


def decision(world, value, *, fire=False):
    return Decision(
        kind=DecisionKind.TRAIN, fire=fire, reasons=(f"n = {value}",), observed={"n": value}, at=world.clock.now()
    )


@pytest.fixture
def job(world):
    world.apply()
    return world.job()


def test_repeated_decisions_share_a_row_and_fired_ones_never_do(world, job):
    for value, fire in [(1, False), (1, False), (2, False), (1, False), (3, True), (3, True)]:
        world.clock.advance(60)
        with world.db.write() as session:
            decisions.add(session, job.id, decision(world, value, fire=fire), kept=100)
    with world.db.read() as session:
        rows = decisions.list_page(session, job.id).items
    assert [(row.decision.observed["n"], row.count) for row in reversed(rows)] == [
        (1, 2),
        (2, 1),
        (1, 1),
        (3, 1),
        (3, 1),
    ]
    assert rows[-1].last_at - rows[-1].at == timedelta(seconds=60)


def test_old_decisions_go(world, job):
    with world.db.write() as session:
        for value in range(200):
            decisions.add(session, job.id, decision(world, value), kept=10)
        kept = decisions.list_page(session, job.id, limit=500).items
    assert 10 <= len(kept) < 10 + 64
    assert kept[0].decision.observed == {"n": 199}


def test_old_decisions_go_also_where_jobs_take_turns(world, job):
    world.apply(key=JobKey(name="other"))
    other = world.job(JobKey(name="other"))
    with world.db.write() as session:
        for value in range(300):
            for one in (job, other):
                decisions.add(session, one.id, decision(world, value), kept=10)
        for one in (job, other):
            assert 10 <= len(decisions.list_page(session, one.id, limit=500).items) < 10 + 64


def test_old_decisions_that_fired_stay(world, job):
    with world.db.write() as session:
        for value in range(300):
            decisions.add(session, job.id, decision(world, value, fire=value in (0, 150)), kept=10)
        found = [row.decision for row in decisions.list_page(session, job.id, limit=500).items]
    assert [one.observed["n"] for one in found if one.fire] == [150, 0]
    assert 10 <= len(found) - 2 < 10 + 64


def test_event_ids_grow_also_after_old_events_went(world, job):
    with world.db.write() as session:
        for number in range(600):
            events.add(session, job.id, "Test", str(number), world.clock.now())
        events.prune(session, 100)
        first = events.after(session, 0, limit=1)[0]
        last = events.newest_id(session)
        events.add(session, None, "Test", "of the service", world.clock.now())
        assert events.newest_id(session) == last + 1
        assert first.id == last - 99
        assert [event.message for event in events.after(session, last)] == ["of the service"]
        assert events.after(session, last, job_id=job.id) == ()
        assert events.after(session, last - 1, job_id=job.id)[0].job == KEY


@pytest.mark.parametrize("kept", [1000, 3000])
def test_as_many_events_are_kept_as_the_settings_say_whoever_adds_them(world, kept):
    world.settings = world.settings.model_copy(update={"events_kept": kept})
    world.apply()
    with world.db.write() as session:
        for number in range(2500):
            events.add(session, None, "Test", str(number), world.clock.now())
    world.tick(3)
    found = len(world.events())
    assert min(kept, 2500) <= found < min(kept, 2500) + 256


def test_tokens_are_kept_as_digests_and_end(world):
    now = world.clock.now()
    with world.db.write() as session:
        edges.register(session, "edge-1", now)
        secret = tokens.create(session, "one", "edge", now, edge="edge-1", expires_at=now + timedelta(hours=1))
        given = tokens.create(session, "two", "admin", now, secret="s" * 40)
        assert given == "s" * 40
        with pytest.raises(ConflictError):
            tokens.create(session, "one", "admin", now)
        found = tokens.authenticate(session, secret, now)
        assert (found.name, found.role, found.edge) == ("one", "edge", "edge-1")
        assert tokens.authenticate(session, secret + "x", now) is None
        assert tokens.authenticate(session, secret, now + timedelta(hours=1)) is None
        tokens.revoke(session, "two", now)
        tokens.revoke(session, "two", now)
        assert tokens.authenticate(session, given, now) is None
        with pytest.raises(NotFoundError):
            tokens.revoke(session, "three", now)
        edges.remove(session, "edge-1")
        assert tokens.authenticate(session, secret, now) is None
    assert all(secret.encode() not in path.read_bytes() for path in world.folder.glob("gm.db*"))


def test_edges_are_registered_once_and_removed_whole(world, job):
    world.beat("edge-1", model_version=1, state="serving")
    with world.db.write() as session:
        with pytest.raises(ConflictError):
            edges.register(session, "edge-1", world.clock.now())
        [row] = edges.list_all(session)
        assert row.jobs[0].job == KEY
        assert edges.get(session, "edge-1") == row
        edges.remove(session, "edge-1")
        assert edges.observe(session, job.id, world.clock.now(), 60) == ()
        for forget in (edges.remove, edges.get):
            with pytest.raises(NotFoundError):
                forget(session, "edge-1")


def test_liveness_is_about_the_last_heartbeat(world, job):
    world.beat("edge-1", model_version=1, state="serving")
    with world.db.read() as session:
        for passed, live in ((0, True), (30, True), (31, False)):
            [seen] = edges.observe(session, job.id, world.clock.now() + timedelta(seconds=passed), 30)
            assert seen.live is live


def test_an_edge_is_not_silent_before_somebody_has_listened_for_it(world, job):
    world.beat("edge-1", model_version=1, state="serving")
    since = world.clock.now() + timedelta(days=3)
    with world.db.read() as session:
        for passed, live in ((0, True), (90, True), (91, False)):
            now = since + timedelta(seconds=passed)
            [seen] = edges.observe(session, job.id, now, 30, listening_since=since, return_seconds=90)
            assert (seen.live, seen.heard) == (live, False)


def test_an_edge_that_was_heard_since_is_silent_as_soon_as_any_other(world, job):
    since = world.clock.now()
    world.beat("edge-1", model_version=1, state="serving")
    with world.db.read() as session:
        for passed, live in ((30, True), (31, False)):
            now = since + timedelta(seconds=passed)
            [seen] = edges.observe(session, job.id, now, 30, listening_since=since, return_seconds=90)
            assert (seen.live, seen.heard) == (live, True)


def test_model_numbers_are_never_given_out_twice(world, job):
    with world.db.write() as session:
        assert [models.reserve(session, job.id) for _ in range(3)] == [2, 3, 4]


def test_the_first_report_of_a_worker_stays(world, job):
    with world.db.write() as session:
        row = workers.ensure(session, job.id, 1, Stage.TRAINING, 1, name="w", handle={}, now=world.clock.now())
        again = workers.ensure(session, job.id, 1, Stage.TRAINING, 1, name="x", handle={}, now=world.clock.now())
        assert again == row
        workers.reported(session, row.id, {"a": 1})
        workers.reported(session, row.id, {"a": 2})
        workers.started(session, row.id)
        found = workers.by_name(session, "w")
        assert (found.report, found.phase) == ({"a": 1}, WorkerPhase.RUNNING)
        assert workers.by_name(session, "x") is None


def test_trouble_of_a_job_is_news_once(world, job):
    with world.db.write() as session:
        assert jobs.set_degraded(session, job.id, "disk", world.clock.now())
        assert not jobs.set_degraded(session, job.id, "disk", world.clock.now())
        assert jobs.get(session, KEY).phase == "Degraded"
        assert jobs.set_degraded(session, job.id, None, world.clock.now())
        assert jobs.get(session, KEY).phase == "Waiting"
