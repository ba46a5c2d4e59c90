"""The watch without a cluster: order, restarts and lists. kopf itself runs in the end-to-end tests."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import kopf
import pytest
from tests.fixtures_cluster import FakeCluster

from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import JOBS, NAMESPACES, PODS
from globalmanager.cluster.watch import POD_LABELS, ClusterWatch
from sedna.common.errors import AuthError, NotFoundError


def until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it never held")


class Operator:
    """In kopf's place: runs until it is stopped, or raises what a test put in."""

    def __init__(self) -> None:
        self.calls: list[dict] = []
        self.raises: list[Exception] = []

    async def __call__(self, **arguments: object) -> None:
        self.calls.append(arguments)
        stop = arguments["stop_flag"]
        assert isinstance(stop, threading.Event)
        while not await asyncio.to_thread(stop.wait, 0.01):
            if self.raises:
                raise self.raises.pop(0)


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@pytest.fixture
def operator() -> Operator:
    return Operator()


@pytest.fixture
def watch(cluster: FakeCluster, operator: Operator, monkeypatch) -> Iterator[ClusterWatch]:
    monkeypatch.setattr("globalmanager.cluster.watch.RESTART_S", (0.01,))
    monkeypatch.setattr("globalmanager.cluster.watch.QUIET_S", 0.0)
    watch = ClusterWatch(cluster, lambda: kopf.ConnectionInfo(server="http://127.0.0.1"), operator=operator)
    yield watch
    watch.stop()


def test_everything_is_listed_before_kopf_begins(watch, cluster, operator):
    cluster.create(JOBS, "shop", {"metadata": {"name": "boards"}})
    cluster.create(PODS, "shop", {"metadata": {"name": "ours", "labels": POD_LABELS}})
    cluster.create(PODS, "shop", {"metadata": {"name": "theirs"}})
    assert not watch.synced
    watch.start()
    until(lambda: bool(operator.calls))
    assert watch.synced
    assert watch.get(JOBS, "shop", "boards")["metadata"]["name"] == "boards"
    assert [pod["metadata"]["name"] for pod in watch.all(PODS)] == ["ours"]


def test_kopf_writes_nothing_and_never_gives_up(watch, operator):
    watch.start()
    until(lambda: bool(operator.calls))
    (call,) = operator.calls
    settings = call["settings"]
    assert (call["standalone"], call["clusterwide"], call["namespaces"]) == (True, True, [])
    assert settings.scanning.disabled
    assert settings.peering.standalone
    assert not settings.posting.enabled
    waits = iter(settings.networking.error_backoffs)
    assert [next(waits) for _ in range(100)][-1] == 3.0
    assert next(iter(settings.networking.error_backoffs)) == 0.5, "it begins anew with each request"


def test_named_namespaces_are_watched_one_by_one(cluster, operator):
    watch = ClusterWatch(cluster, lambda: None, namespaces=["shop", "lab", "shop"], operator=operator)
    cluster.create(JOBS, "other", {"metadata": {"name": "boards"}})
    watch.start()
    until(lambda: bool(operator.calls))
    watch.stop()
    assert (operator.calls[0]["clusterwide"], operator.calls[0]["namespaces"]) == (False, ["lab", "shop"])
    assert watch.all(JOBS) == []


def test_kopf_is_started_again_and_counted_and_what_went_meanwhile_is_found(watch, cluster, operator):
    cluster.create(JOBS, "shop", {"metadata": {"name": "boards"}})
    watch.start()
    until(lambda: len(operator.calls) == 1)
    assert len(watch.all(JOBS)) == 1
    cluster.remove(JOBS, "shop", "boards")
    operator.raises = [RuntimeError("503"), RuntimeError("503")]
    until(lambda: watch.all(JOBS) == [])
    until(lambda: len(operator.calls) == 3)
    assert watch.restarts == 2
    assert watch.is_alive


def test_kopf_that_fails_while_it_waits_for_its_flag_is_started_again(cluster, monkeypatch):
    """As it does where the API server knows our kinds a moment after it answers: 404 ends every stream."""
    monkeypatch.setattr("globalmanager.cluster.watch.RESTART_S", (0.01,))
    calls = []

    async def fails(*, stop_flag: threading.Event, **_: object) -> None:
        calls.append(stop_flag)
        waiting = asyncio.get_running_loop().run_in_executor(None, stop_flag.wait)
        if len(calls) < 3:
            await asyncio.sleep(0.01)  # the thread has begun to wait
            waiting.cancel()
            raise RuntimeError("404 page not found")
        await waiting

    watch = ClusterWatch(cluster, lambda: None, operator=fails)
    watch.start()
    try:
        until(lambda: len(calls) == 3)
        assert watch.restarts == 2
    finally:
        watch.stop()
    assert not watch.is_alive


def test_a_cluster_without_our_kinds_is_waited_for_and_said(watch, cluster, operator, caplog):
    missing = True

    def fail(verb: str, *_: object) -> None:
        if missing:
            raise NotFoundError("404 page not found", where="/apis/sedna.io/v1alpha1/incrementallearningjobs")

    cluster.fail = fail
    watch.start()
    until(lambda: "apply deploy/crds" in watch.problem)
    assert (watch.synced, operator.calls) == (False, [])
    missing = False
    until(lambda: watch.synced)
    until(lambda: watch.problem == "")
    assert caplog.text.count("the cluster lacks our kinds") == 1


def test_an_api_server_that_is_away_at_the_start_is_waited_for(watch, cluster):
    away = True

    def fail(*_: object) -> None:
        if away:
            raise ClusterUnavailableError("connection refused")

    cluster.fail = fail
    watch.start()
    until(lambda: "connection refused" in watch.problem)
    away = False
    until(lambda: watch.synced)


def test_it_ends_before_it_ever_reached_the_server(cluster, operator):
    def fail(*_: object) -> None:
        raise ClusterUnavailableError("connection refused")

    cluster.fail = fail
    watch = ClusterWatch(cluster, lambda: None, operator=operator)
    watch.start()
    watch.stop()
    assert not watch.is_alive
    assert operator.calls == []


def test_a_namespace_that_is_gone_keeps_no_other_from_being_watched(cluster, operator, monkeypatch):
    monkeypatch.setattr("globalmanager.cluster.watch.RESTART_S", (0.01,))
    monkeypatch.setattr("globalmanager.cluster.watch.QUIET_S", 0.0)
    gone = ["lab"]

    def fail(verb, kind, namespace, name):
        if namespace in gone:
            raise AuthError(f"incrementallearningjobs is forbidden in {namespace}", forbidden=True)

    cluster.fail = fail
    cluster.create(JOBS, "shop", {"metadata": {"name": "boards"}})
    watch = ClusterWatch(cluster, lambda: None, namespaces=["lab", "shop"], operator=operator)
    watch.start()
    try:
        until(lambda: bool(operator.calls))
        assert watch.synced
        assert watch.get(JOBS, "shop", "boards") is not None
        until(lambda: operator.calls[-1]["namespaces"] == ["shop"])
        assert "lab" in watch.problem
        gone.clear()
        until(lambda: operator.calls[-1]["namespaces"] == ["lab", "shop"])
        until(lambda: watch.problem == "")
    finally:
        watch.stop()


def test_what_was_in_a_namespace_that_went_with_our_rights_is_gone(cluster, operator, monkeypatch):
    monkeypatch.setattr("globalmanager.cluster.watch.RESTART_S", (0.01,))
    monkeypatch.setattr("globalmanager.cluster.watch.QUIET_S", 0.0)
    refused = []

    def fail(verb, kind, namespace, name):
        if namespace in refused:
            raise AuthError(f"incrementallearningjobs is forbidden in {namespace}", forbidden=True)

    cluster.fail = fail
    cluster.create(NAMESPACES, None, {"metadata": {"name": "lab"}})
    cluster.create(JOBS, "lab", {"metadata": {"name": "boards"}})
    watch = ClusterWatch(cluster, lambda: None, namespaces=["lab"], operator=operator)
    told = []
    watch.subscribe(lambda *key: told.append(key))
    watch.start()
    try:
        until(lambda: watch.get(JOBS, "lab", "boards") is not None)
        refused.append("lab")
        operator.raises.append(RuntimeError("forbidden"))
        until(lambda: "forbidden" in watch.problem)
        assert watch.get(JOBS, "lab", "boards") is not None, "a right that is lost says nothing about objects"
        cluster.remove(NAMESPACES, "", "lab")
        told.clear()
        until(lambda: told == [(JOBS, "lab", "boards")])
        assert watch.get(JOBS, "lab", "boards") is None
    finally:
        watch.stop()


def test_a_start_without_the_only_namespace_waits_for_nothing(cluster, operator, monkeypatch):
    monkeypatch.setattr("globalmanager.cluster.watch.RESTART_S", (0.01,))

    def fail(verb, kind, namespace, name):
        if namespace == "lab":
            raise AuthError("forbidden", forbidden=True)

    cluster.fail = fail
    watch = ClusterWatch(cluster, lambda: None, namespaces=["lab"], operator=operator)
    watch.start()
    try:
        until(lambda: watch.synced)
        until(lambda: "forbidden" in watch.problem)
    finally:
        watch.stop()
