"""The engine over Pods: a cluster or a store that is away costs time, and nothing is decided by it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from fixtures_cluster import FakeCluster
from fixtures_gm import World, job_spec
from fixtures_pods import SETTINGS, ended, running
from globalmanager.cluster.api import Body, ClusterUnavailableError, QuotaExceededError
from globalmanager.cluster.kinds import PODS, SERVICES
from globalmanager.db import workers
from globalmanager.db.tables import Token
from globalmanager.db.values import WorkerRow
from globalmanager.operator.facts import read_facts
from globalmanager.runtimes.kubernetes import PodRuntime
from globalmanager.runtimes.kubernetes.distributed import REST_SECONDS, SCHEDULE_SECONDS
from sedna.common.errors import StorageFullError, StoreUnavailableError
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Outcome

LIMIT = 60
RUNNING = {"phase": "Running", "containerStatuses": [running("train")]}
NO_NODE = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}
FAILED = {"phase": "Running", "containerStatuses": [ended("train", 3), running("istio-proxy")]}
"""The program ended for ever, and a container of others goes on."""


class Store:
    """A store that is away, or full, when a test says so."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.away = False
        self.full = False

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if not callable(found):
            return found

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.away:
                raise StoreUnavailableError("connection refused")
            if self.full and name.startswith("put"):
                raise StorageFullError("the quota of the bucket is reached")
            return found(*args, **kwargs)

        return call


class Pods:
    """A world whose workers are Pods."""

    def __init__(self, world: World) -> None:
        self.world, self.cluster = world, FakeCluster()
        self.store = world.store = Store(world.store)
        self.restart()

    def restart(self) -> None:
        """The service is another process."""
        self.world.runtime = PodRuntime(self.cluster, self.cluster.view, SETTINGS, self.world.clock)
        self.world.crash()

    def begin(self, **train: Any) -> None:
        """Until the first attempt is asked for."""
        self.world.apply(job_spec(**({"limits": {"timeoutSeconds": LIMIT, "retries": 1, "retrySeconds": 1}} | train)))
        self.world.samples(8)
        self.world.until(lambda job: job.state.current is not None)

    def row(self, attempt: int = 1) -> WorkerRow:
        with self.world.db.read() as session:
            return next(one for one in workers.of_round(session, self.world.job().id, 1) if one.attempt == attempt)

    def pods(self) -> dict[str, Body]:
        """By rank; one that is alone has rank 0."""
        return {one["metadata"]["labels"].get("sedna.io/rank", "0"): one for one in self.cluster.list(PODS)}

    def say(self, statuses: dict[str, Any]) -> None:
        for rank, pod in self.pods().items():
            self.cluster.set_status(PODS, "default", pod["metadata"]["name"], statuses.get(rank, RUNNING))

    def tokens(self) -> int:
        with self.world.db.read() as session:
            return session.scalar(select(func.count()).select_from(Token)) or 0

    def asked(self, verb: str) -> int:
        return [one[:2] for one in self.cluster.requests].count((verb, "pods"))

    def refuse(self, error: Exception | None, verb: str = "create") -> None:
        def fail(asked: str, _kind: Any, _namespace: Any, _name: str) -> None:
            if error is not None and asked == verb:
                raise error

        self.cluster.fail = fail


@pytest.fixture
def made(world: World) -> Pods:
    return Pods(world)


@pytest.mark.parametrize(
    ("error", "cause", "seconds"),
    [
        (ClusterUnavailableError("connection refused"), "ClusterUnavailable", 10),
        (ClusterUnavailableError("too many requests (429)", retry_after=30), "ClusterUnavailable", 30),
        (QuotaExceededError("exceeded quota: pods=3"), "QuotaExceeded", 15),
    ],
)
def test_a_start_that_has_to_wait_is_asked_for_in_its_time_and_is_no_trouble(
    made: Pods, error: Exception, cause: str, seconds: int
) -> None:
    world = made.world
    made.refuse(error)
    made.begin()
    world.tick(2 * LIMIT)
    row = made.row()
    assert (row.phase, row.cause, row.attempt) == (WorkerPhase.PENDING, cause, 1)
    assert made.asked("create") <= 2 * LIMIT / seconds + 1
    assert made.asked("get") == 0, "what was never made is not looked for at every tick"
    assert made.tokens() == 0, "a Pod brings the proof of who it is"
    assert len(world.events("WorkerWaiting")) == 1
    assert world.events("Degraded") == world.events("Recovered") == []
    made.refuse(None)
    world.tick(seconds + 1)
    assert made.row().phase is WorkerPhase.RUNNING
    assert len(made.pods()) == 1
    assert made.tokens() == 0


@pytest.mark.parametrize("fault", ["away", "full"])
def test_a_failure_for_ever_stays_one_while_the_store_is_in_trouble_and_the_service_starts_again(
    made: Pods, fault: str
) -> None:
    world = made.world
    made.begin()
    setattr(made.store, fault, True)
    made.say({"0": FAILED})
    made.cluster.logs["default", made.row().handle["pod"], "train"] = b"ValueError: no such column\n"
    world.tick(30)
    assert made.row().phase is WorkerPhase.RUNNING, "it could not be recorded"
    assert "deletionTimestamp" not in made.pods()["0"]["metadata"], "all that tells how it ended"
    made.restart()
    world.tick(30)
    setattr(made.store, fault, False)
    job = world.until(lambda job: job.state.history)
    row = made.row()
    assert (row.phase, row.cause, row.retryable) == (WorkerPhase.FAILED, "WorkerFailed", False)
    assert job.state.history[-1].outcome is Outcome.FAILED
    assert made.pods()["0"]["metadata"]["deletionTimestamp"], "recorded, so that its sidecar holds no machine"


def group(made: Pods) -> None:
    made.begin(distributed={"workers": 2, "processesPerWorker": 1})
    made.say({})
    made.world.tick()


def collect_garbage(made: Pods) -> None:
    for kind in (PODS, SERVICES):
        while there := made.cluster.list(kind):  # the first one takes with it what it owns
            made.cluster.remove(kind, "default", there[0]["metadata"]["name"])


@pytest.mark.parametrize(("code", "retryable"), [(3, False), (75, True)])
def test_why_a_group_is_ended_is_recorded_before_it_ends(made: Pods, code: int, *, retryable: bool) -> None:
    world = made.world
    group(made)
    made.say({"1": {"phase": "Failed", "containerStatuses": [ended("train", code)]}})
    made.store.away = True
    world.tick(2)
    assert "deletionTimestamp" not in made.pods()["0"]["metadata"], "why could not be stored yet"
    made.store.away = False
    world.tick()
    row = made.row()
    assert (row.phase, row.cause, row.retryable) == (WorkerPhase.RUNNING, "WorkerFailed", retryable)
    assert "process 1 of 2: it ended with exit code" in (row.error or "")
    with world.db.read() as session:
        assert read_facts(session, world.job(), world.clock.now(), 60).trouble is None, "it has not ended yet"
    assert made.pods()["0"]["metadata"]["deletionTimestamp"]
    collect_garbage(made)
    made.restart()
    world.tick()
    row = made.row()
    assert (row.phase, row.cause, row.retryable) == (WorkerPhase.FAILED, "WorkerFailed", retryable)
    assert "process 1 of 2" in (row.error or "")
    job = world.job()
    assert (job.state.current is not None) is retryable


def test_a_group_that_cannot_be_ended_now_is_ended_later(made: Pods) -> None:
    group(made)
    made.say({"1": {"phase": "Failed", "containerStatuses": [ended("train", 3)]}})
    made.refuse(ClusterUnavailableError("down"), "delete")
    made.world.tick(3)
    assert (made.row().error or "").count("process 1 of 2") == 1
    made.refuse(None)
    made.world.tick()
    assert made.pods()["0"]["metadata"]["deletionTimestamp"]


@pytest.mark.parametrize("restart", [False, True])
def test_a_group_that_gives_way_is_started_again_by_whoever_drives_then(made: Pods, *, restart: bool) -> None:
    world = made.world
    group(made)
    made.say({"1": NO_NODE})
    world.tick(int(SCHEDULE_SECONDS) + 2)
    row = made.row()
    assert (row.phase, row.cause) == (WorkerPhase.PENDING, "Unschedulable")
    assert made.pods() == {}
    collect_garbage(made)
    if restart:
        made.restart()
    world.tick(int(REST_SECONDS) + 2)
    assert (made.row().phase, made.row().attempt) == (WorkerPhase.RUNNING, 1), "no attempt is used up"
    assert len(made.pods()) == 2
    made.say({})
    world.tick()
    assert made.row().working_since is not None


@pytest.mark.parametrize("error", [QuotaExceededError("exceeded quota: pods=0"), ClusterUnavailableError("down")])
def test_a_group_that_cannot_come_back_yet_waits(made: Pods, error: Exception) -> None:
    world = made.world
    group(made)
    made.say({"1": NO_NODE})
    world.tick(int(SCHEDULE_SECONDS) + 2)
    collect_garbage(made)
    made.refuse(error)
    before = made.asked("create")
    world.tick(3 * int(REST_SECONDS))
    assert made.row().phase is WorkerPhase.PENDING
    assert 1 <= made.asked("create") - before <= 3 * REST_SECONDS / 10
    assert world.job().degraded is None
    made.refuse(None)
    world.tick(int(REST_SECONDS) + 2)
    assert len(made.pods()) == 2


def test_what_an_attempt_has_left_running_ends_before_the_next_one_begins(made: Pods) -> None:
    """On the only machine for it the next one would wait for ever."""
    world = made.world
    made.begin()
    made.say({"0": {"phase": "Running", "containerStatuses": [ended("train", 75), running("istio-proxy")]}})
    made.refuse(ClusterUnavailableError("down"), "delete")
    world.tick(5)
    assert made.row().phase is WorkerPhase.FAILED, "recorded all the same"
    assert made.row(2).phase is WorkerPhase.PENDING
    assert len(made.cluster.list(PODS)) == 1
    made.refuse(None)
    world.tick(40)
    first, second = sorted(made.cluster.list(PODS), key=lambda pod: pod["metadata"]["labels"]["sedna.io/attempt"])
    assert first["metadata"]["deletionTimestamp"]
    assert "deletionTimestamp" not in second["metadata"]
    assert made.row(2).phase is WorkerPhase.RUNNING


def test_a_worker_that_nobody_could_stop_does_not_outlive_its_round(made: Pods) -> None:
    """Its image came when its failure had been recorded and the API server was away."""
    world = made.world
    made.begin()
    made.say({"0": {"phase": "Running", "containerStatuses": [ended("train", 3), running("istio-proxy")]}})
    made.refuse(ClusterUnavailableError("down"), "delete")
    world.until(lambda job: job.state.history)
    made.say({"0": RUNNING})
    world.tick(3)
    assert "deletionTimestamp" not in made.pods()["0"]["metadata"]
    made.refuse(None)
    world.tick(3)
    assert made.pods()["0"]["metadata"]["deletionTimestamp"]
