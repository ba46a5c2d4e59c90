"""Crashes, conflicts, outages, and others who write to the same objects."""

import random

import pytest
from operator_world import SETTINGS, OperatorWorld

from fixtures_gm import new_world
from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import JOBS, MODELS
from sedna.common.errors import AuthError, ConflictError


@pytest.mark.parametrize("seed", range(6))
def test_a_process_that_dies_after_any_request_is_followed_by_one_that_goes_on(there, seed):
    """Killed again and again over a whole round: it ends as if nothing had happened."""
    chance = random.Random(seed)

    def fail(verb, *_):
        if verb != "get" and chance.random() < 0.3:
            raise KeyboardInterrupt

    def live(seconds: int) -> None:
        for _ in range(seconds):
            try:
                there.step()
            except KeyboardInterrupt:
                there.restart()

    there.apply_all()
    there.cluster.fail = fail
    live(10)
    there.cluster.fail = lambda *_: None
    there.world.samples(10)
    there.cluster.fail = fail
    live(40)
    there.cluster.fail = lambda *_: None
    there.restart()
    there.step(10)
    assert there.shown("Deployed") == ("True", "Deployed")
    assert [one["outcome"] for one in there.status()["rounds"]] == ["Deployed"]
    assert not there.body()["metadata"].get("finalizers")
    kinds = [one["type"] for one in there.status()["conditions"]]
    assert len(kinds) == len(set(kinds))


def test_a_conflict_on_every_first_write_costs_time_and_nothing_else(there):
    seen = set()

    def fail(verb, kind, namespace, name):
        version = None
        if verb == "merge" and kind == JOBS:
            version = there.cluster._objects[("incrementallearningjobs", namespace, name)]["metadata"][
                "resourceVersion"
            ]
        if version is not None and version not in seen:
            seen.add(version)
            raise ConflictError("the object has been modified")

    there.cluster.fail = fail
    there.apply_all()
    there.step(5)
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))
    there.cluster.fail = lambda *_: None
    there.annotate(trigger="deploy=1")
    there.cluster.fail = fail
    there.until(lambda: there.status()["model"] == 1)
    there.until(lambda: "sedna.io/trigger" not in there.annotations())
    assert len(seen) > 5
    assert there.operator.reconciles[("IncrementalLearningJob", "stale")] > 5


def test_somebody_who_writes_at_the_same_time_is_not_overwritten(there):
    there.apply_all()
    once = True

    def fail(verb, kind, namespace, name):
        nonlocal once
        if verb == "merge" and kind == JOBS and once:
            once = False
            there.cluster.merge(JOBS, "default", "boards", {"metadata": {"annotations": {"team": "a"}}})

    there.cluster.fail = fail
    there.step(5)
    assert there.annotations() == {"team": "a", "sedna.io/managed-by": "sedna/sedna"}
    assert there.shown("Ready") == ("True", "Accepted")


def test_an_api_server_that_is_away_for_a_minute(there):
    there.ready()

    def away(*_):
        raise ClusterUnavailableError("connection refused")

    there.cluster.fail = away
    there.cluster.paused = True
    there.world.samples(10)
    there.step(60)
    assert there.world.job().state.champion == 2, "the loop needs no cluster"
    there.cluster.fail = lambda *_: None
    there.cluster.relist()
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"), seconds=16)
    there.step()
    assert there.operator.failing == 0


def test_a_key_that_fails_is_asked_for_less_and_less_and_stops_nobody(there):
    def fail(verb, kind, namespace, name):
        if name == "broken":
            raise AuthError("forbidden", forbidden=True)

    there.apply_all()
    there.apply(MODELS, "broken", {"url": "/x", "format": "json"})
    there.cluster.fail = fail
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")
    there.cluster.requests.clear()
    there.step(300)
    tries = [request for request in there.cluster.requests if request[3] == "broken"]
    assert 5 <= len(tries) <= 10
    assert there.operator.failing == 1
    there.cluster.fail = lambda *_: None
    there.until(lambda: there.shown("Ready", MODELS, "broken") == ("True", "Accepted"), seconds=120)
    assert there.operator.failing == 0


def test_a_defect_in_one_look_is_told_and_stops_nobody(there, caplog, monkeypatch):
    there.apply_all()
    monkeypatch.setattr(there.operator._jobs, "reconcile", lambda *_: 1 / 0)
    there.step(3)
    assert there.shown("Ready", MODELS, "first") == ("True", "Accepted")
    assert "the look at IncrementalLearningJob default/boards failed" in caplog.text
    assert there.operator.reconciles[("IncrementalLearningJob", "error")] > 0


def test_nothing_is_written_before_everything_was_listed_and_after_the_lease_is_lost(there):
    there.cluster.synced = False
    there.apply_all()
    there.cluster.requests.clear()
    there.step(3)
    assert there.cluster.requests == []
    there.cluster.synced = True
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")
    there.world.engine()._keeper.lost.set()
    there.cluster.requests.clear()
    there.apply_job({"dataset": {}})
    there.drain()
    assert there.writes() == [("patch", "incrementallearningjobs", "boards")], "the one of the test itself"


# --- others ------------------------------------------------------------------------------------------------------


def test_another_release_keeps_away_and_says_so_once(there, world_of_another_release):
    other = world_of_another_release
    there.ready()
    for _ in range(3):
        other.step()
    assert there.annotations()["sedna.io/managed-by"] == "sedna/sedna"
    assert there.told().count("ManagedByAnotherRelease") == 1
    assert there.shown("Ready") == ("True", "Accepted")
    version = there.body()["metadata"]["resourceVersion"]
    for _ in range(5):
        other.step()
        there.step()
    assert there.body()["metadata"]["resourceVersion"] == version


def test_a_job_is_handed_over_by_taking_the_annotation_off(there, world_of_another_release):
    other = world_of_another_release
    there.ready()
    other.step()
    there.operator._leads = False
    there.cluster.merge(JOBS, "default", "boards", {"metadata": {"annotations": {"sedna.io/managed-by": None}}})
    other.step(3)
    assert there.annotations()["sedna.io/managed-by"] == "other/sedna"


@pytest.fixture
def world_of_another_release(there):
    with new_world() as second:
        other = OperatorWorld(second, there.cluster)
        other.cluster._subscribers.remove(other.operator._changed)
        other.settings = SETTINGS.model_copy(update={"namespace": "other"})
        other.operator = other.new_operator()
        yield other


UPSTREAM = {
    "conditions": [
        {"type": "Waiting", "status": "True", "stage": "Train", "lastHeartbeatTime": "2024-01-01T00:00:00Z"},
        {"type": "Ready", "status": "True", "stage": "Train", "data": "{}"},
        {"type": "Ready", "status": "True", "stage": "Train", "data": "{}"},
        {"type": "Completed", "status": "True", "stage": "Deploy"},
    ],
    "startTime": "2024-01-01T00:00:00Z",
}


def test_upstreams_stored_status_is_taken_over(there):
    there.apply_all()
    there.cluster.set_status(JOBS, "default", "boards", UPSTREAM)
    there.step(3)
    assert there.shown("Ready") == ("True", "Accepted")
    assert there.shown("Deployed") == ("False", "MigratedFromUpstream")
    assert "Deploy/Completed" in there.condition("Deployed")["message"]
    assert all("stage" not in one for one in there.status()["conditions"])
    there.restart()
    there.step(5)
    assert there.shown("Deployed") == ("False", "MigratedFromUpstream")
    assert there.condition("Degraded") == {}
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))


def test_upstreams_manager_that_still_runs_is_told_of_and_not_fought(there):
    there.ready()
    writes = 0
    for _ in range(180):
        if there.status().get("observedGeneration"):
            writes += 1
            there.cluster.set_status(JOBS, "default", "boards", UPSTREAM)
        there.step()
    assert 2 <= writes <= 5
    there.step(61)
    assert there.shown("Degraded") == ("True", "AnotherOperator")
    assert "Deployment gm" in there.condition("Degraded")["message"]
    there.step(1300)
    assert there.condition("Degraded") == {}


def test_requests_that_fail_for_events_stop_nothing(there):
    def fail(verb, kind, namespace, name):
        if kind.plural == "events":
            raise AuthError("events is forbidden", forbidden=True)

    there.cluster.fail = fail
    there.ready()
    assert there.shown("Ready") == ("True", "Accepted")
    there.cluster.fail = lambda *_: None
    assert there.told() == []


def test_a_second_replica_stands_by_and_takes_over_in_the_middle_of_a_round(there):
    there.ready()
    there.train()
    first, old = there.operator, there.world.engine()
    there.world.crash()  # its lease runs out, and another engine takes it
    second = there.new_operator()
    old._keeper.lost.set()
    there.world.runtime.held = False
    there.world.runtime.let_go()
    there.operator = second
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))
    there.cluster.requests.clear()
    there.cluster.merge(JOBS, "default", "boards", {"metadata": {"labels": {"team": "a"}}})
    for _ in range(10):
        first.step()
    assert there.writes() == [("merge", "incrementallearningjobs", "boards")], "the one of the test itself"
    there.step()
    assert there.world.job().metadata["labels"] == {"team": "a"}
