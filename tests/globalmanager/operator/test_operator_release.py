"""After an uninstall: jobs can be deleted, and no worker runs for nobody."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from fixtures_cluster import FakeCluster
from fixtures_rights import CLEANUP, rights_of
from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import JOBS, PODS, Kind
from globalmanager.cluster.names import job_labels
from globalmanager.operator.annotations import FINALIZER, MANAGED_BY
from globalmanager.operator.release import ATTEMPT_LABEL, release, wait_for_end
from globalmanager.operator.releaser import Releaser
from sedna.common.clock import SettableClock
from sedna.common.errors import ConflictError, NotFoundError, TemporaryError

SERVICE = {"app.kubernetes.io/instance": "sedna", "app.kubernetes.io/component": "service"}


def uninstalled() -> FakeCluster:
    """What was the service's is gone; the hook of the chart brings rights of its own."""
    cluster = FakeCluster()
    cluster.rights = rights_of(CLEANUP)
    return cluster


def make_job(
    cluster: FakeCluster, name: str, namespace: str = "a", *, owner: str | None = "ml/sedna", mine: bool = True
) -> str:
    finalizers = ["other.io/keep", FINALIZER] if mine else ["other.io/keep"]
    meta: dict[str, Any] = {"name": name, "finalizers": finalizers}
    if owner is not None:
        meta["annotations"] = {MANAGED_BY: owner, "note": "kept"}
    return cluster.create(JOBS, namespace, {"metadata": meta, "spec": {}})["metadata"]["uid"]


def make_pod(cluster: FakeCluster, name: str, uid: str, namespace: str = "a", *, worker: bool = True) -> None:
    labels = job_labels("job", uid, "train" if worker else "inference")
    if worker:
        labels[ATTEMPT_LABEL] = "1"
    cluster.create(PODS, namespace, {"metadata": {"name": name, "labels": labels}})


def meta_of(cluster: FakeCluster, name: str, namespace: str = "a") -> dict[str, Any]:
    body = cluster.get(JOBS, namespace, name)
    assert body is not None
    return body["metadata"]


def test_our_finalizer_and_mark_go_and_those_of_others_stay() -> None:
    cluster = uninstalled()
    make_job(cluster, "one")
    done = release(cluster, (), "ml/sedna")
    assert done.jobs == ("a/one",)
    assert meta_of(cluster, "one")["finalizers"] == ["other.io/keep"]
    assert meta_of(cluster, "one")["annotations"] == {"note": "kept"}
    assert release(cluster, (), "ml/sedna").jobs == ()


def test_a_job_that_is_being_deleted_goes_at_once() -> None:
    cluster = uninstalled()
    cluster.create(JOBS, "a", {"metadata": {"name": "one", "finalizers": [FINALIZER]}, "spec": {}})
    cluster.delete(JOBS, "a", "one")
    assert release(cluster, ("a",), "ml/sedna").jobs == ("a/one",)
    assert cluster.get(JOBS, "a", "one") is None


def test_jobs_of_another_service_and_of_other_namespaces_are_left_alone() -> None:
    cluster = uninstalled()
    uid = make_job(cluster, "theirs", owner="other")
    make_pod(cluster, "theirs-train", uid)
    make_job(cluster, "far", "b")
    assert release(cluster, ("a",), "ml/sedna") == release(cluster, ("a",), "ml/sedna")
    assert FINALIZER in meta_of(cluster, "theirs")["finalizers"]
    assert FINALIZER in meta_of(cluster, "far", "b")["finalizers"]
    pod = cluster.get(PODS, "a", "theirs-train")
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]


def test_worker_pods_end_and_edges_go_on() -> None:
    cluster = uninstalled()
    uid = make_job(cluster, "one", mine=False)
    make_pod(cluster, "one-train", uid)
    make_pod(cluster, "one-edge", uid, worker=False)
    assert release(cluster, (), "ml/sedna").pods == ("a/one-train",)
    edge = cluster.get(PODS, "a", "one-edge")
    assert edge is not None
    assert "deletionTimestamp" not in edge["metadata"]


def test_a_list_that_somebody_changes_meanwhile_is_looked_at_again() -> None:
    cluster = uninstalled()
    make_job(cluster, "one")
    left = 2

    def fail(verb: str, kind: Kind, namespace: str | None, name: str) -> None:
        nonlocal left
        if verb == "patch" and left:
            left -= 1
            raise ConflictError("a test failed")

    cluster.fail = fail
    assert release(cluster, (), "ml/sedna").jobs == ("a/one",)
    left = 100
    make_job(cluster, "two")
    with pytest.raises(TemporaryError, match="changes all the time"):
        release(cluster, (), "ml/sedna")


def test_a_cluster_without_our_kinds_has_nothing_to_release() -> None:
    cluster = uninstalled()

    def fail(verb: str, kind: Kind, namespace: str | None, name: str) -> None:
        raise NotFoundError("no such kind")

    cluster.fail = fail
    done = release(cluster, ("a", "b"), "ml/sedna")
    assert (done.jobs, done.pods) == ((), ())


def test_it_waits_until_the_service_is_gone() -> None:
    cluster = uninstalled()
    clock = SettableClock(auto_advance=True)
    cluster.create(PODS, "ml", {"metadata": {"name": "sedna-1", "labels": SERVICE}})
    with pytest.raises(TemporaryError, match="still runs after 5 s: sedna-1"):
        wait_for_end(cluster, "ml", "sedna", clock, 5)
    cluster.remove(PODS, "ml", "sedna-1")
    wait_for_end(cluster, "ml", "sedna", clock, 5)


# --- a service whose operator was switched off -----------------------------------------------------------------------


class Engine:
    leads = True


def test_without_the_operator_nothing_of_it_keeps_a_job_from_going() -> None:
    cluster = FakeCluster()
    make_job(cluster, "one")
    make_job(cluster, "theirs", owner="ml/other")
    make_job(cluster, "unmarked", owner=None)
    cluster.delete(JOBS, "a", "one")
    releaser = Releaser(cluster, cluster.view, Engine(), "ml/sedna")
    releaser.step()
    assert meta_of(cluster, "one")["finalizers"] == ["other.io/keep"]
    assert meta_of(cluster, "one")["annotations"] == {MANAGED_BY: "ml/sedna", "note": "kept"}, "its rounds go on"
    assert FINALIZER in meta_of(cluster, "theirs")["finalizers"]
    assert FINALIZER in meta_of(cluster, "unmarked")["finalizers"]
    cluster.requests.clear()
    releaser.step()
    assert cluster.requests == []


def test_while_another_replica_still_is_the_operator_it_waits() -> None:
    cluster, engine = FakeCluster(), Engine()
    make_job(cluster, "one")
    releaser = Releaser(cluster, cluster.view, engine, "ml/sedna")
    engine.leads = False
    releaser.step()
    engine.leads, cluster.synced = True, False
    releaser.step()
    assert FINALIZER in meta_of(cluster, "one")["finalizers"]


def test_it_goes_on_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("globalmanager.operator.releaser.LOOK_S", 0.01)
    cluster = FakeCluster()
    make_job(cluster, "one")
    errors: list[Exception] = [ClusterUnavailableError("connection refused"), ValueError("a bug")]
    gone = threading.Event()

    def fail(verb: str, kind: Kind, namespace: str | None, name: str) -> None:
        if verb == "patch" and errors:
            raise errors.pop(0)
        if verb == "patch":
            gone.set()

    cluster.fail = fail
    releaser = Releaser(cluster, cluster.view, Engine(), "ml/sedna")
    releaser.start()
    assert gone.wait(10)
    assert releaser.is_alive
    releaser.stop()
    assert not releaser.is_alive
    assert FINALIZER not in meta_of(cluster, "one")["finalizers"]
