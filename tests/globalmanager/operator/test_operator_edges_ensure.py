"""Objects come, change and go with what the job asks for; where nothing changed nothing is written."""

from __future__ import annotations

from typing import Any

import pytest
from edge_jobs import SETTINGS, TEMPLATE, cluster_with_model, job_row

from fixtures_cluster import FakeCluster
from globalmanager.cluster.api import QuotaExceededError
from globalmanager.cluster.kinds import DAEMONSETS, DEPLOYMENTS, PODS, SERVICES
from globalmanager.operator.edges import EdgesRollout, ensure_edges
from sedna.common.errors import ConflictError, SpecError, TemporaryError

NAME = "helmet-demo-edge"


def ensure(cluster: FakeCluster, **job: Any) -> EdgesRollout | None:
    return ensure_edges(cluster, cluster.view, job_row(**job), SETTINGS)


def written(cluster: FakeCluster) -> list[tuple[str, str, str]]:
    found = [(verb, plural, name) for verb, plural, _, name in cluster.requests]
    cluster.requests.clear()
    return found


def test_objects_are_made_once() -> None:
    cluster = cluster_with_model()
    first = ensure(cluster, edges={})
    assert written(cluster) == [("create", "deployments", NAME), ("create", "services", NAME)]
    assert first is not None
    assert (first.reason, first.wanted) == ("EdgesStarting", 1)
    ensure(cluster, edges={})
    ensure(cluster, edges={}, version=2)
    assert written(cluster) == [], "not even a look: the watch knows"


def test_a_job_that_asks_for_none_costs_nothing() -> None:
    cluster = cluster_with_model()
    assert ensure(cluster) is None
    assert ensure(cluster, template=TEMPLATE, uid=None) is None, "it came by REST; nothing would own the objects"
    assert written(cluster) == []


def test_edges_wait_for_the_first_model() -> None:
    cluster = cluster_with_model()
    found = ensure(cluster, template=TEMPLATE, version=None)
    assert found is not None
    assert found.reason == "WaitingForModel"
    assert written(cluster) == []


def test_a_change_writes_what_it_changes_and_leaves_the_rest() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={"nodeSelector": {"edge": "yes"}})
    cluster.merge(DEPLOYMENTS, "default", NAME, {"spec": {"replicas": 4}, "metadata": {"labels": {"mine": "x"}}})
    written(cluster)
    ensure(cluster, edges={})
    assert written(cluster) == [("patch", "deployments", NAME)]
    live = cluster.view.get(DEPLOYMENTS, "default", NAME)
    assert live["spec"]["replicas"] == 4, "an autoscaler's"
    assert live["metadata"]["labels"]["mine"] == "x"
    assert "nodeSelector" not in live["spec"]["template"]["spec"], "what is not asked for any more goes"


def test_without_hot_update_a_new_model_rolls_out_by_new_pods() -> None:
    cluster = cluster_with_model()
    ensure(cluster, template=TEMPLATE, hot=False, version=1)
    written(cluster)
    ensure(cluster, template=TEMPLATE, hot=False, version=2)
    assert written(cluster) == [("patch", "deployments", "helmet-demo-inference")]
    pod = cluster.view.get(DEPLOYMENTS, "default", "helmet-demo-inference")["spec"]["template"]
    assert pod["metadata"]["annotations"]["sedna.io/model-version"] == "2"


def test_a_declared_depth_reaches_the_program() -> None:
    cluster = cluster_with_model()
    ensure(cluster, template=TEMPLATE, bits=12)
    pod = cluster.view.get(DEPLOYMENTS, "default", "helmet-demo-inference")["spec"]["template"]
    (program,) = [one for one in pod["spec"]["containers"] if one["name"] == "infer"]
    assert {"name": "PICTURE_BITS", "value": "12"} in program["env"]


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        ({"edges": {}}, {"edges": {"kind": "DaemonSet"}}, [("deployments", NAME)]),
        ({"edges": {}}, {}, [("deployments", NAME), ("services", NAME)]),
        ({"edges": {}}, {"template": TEMPLATE}, [("deployments", NAME), ("services", NAME)]),
        ({"template": TEMPLATE}, {"edges": {}}, [("deployments", "helmet-demo-inference")]),
    ],
)
def test_what_is_not_asked_for_any_more_goes(before: dict, after: dict, gone: list) -> None:
    cluster = cluster_with_model()
    ensure(cluster, **before)
    written(cluster)
    ensure(cluster, **after)
    assert [(plural, name) for verb, plural, name in written(cluster) if verb == "delete"] == gone


def test_an_object_that_somebody_deleted_comes_back() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={})
    cluster.remove(SERVICES, "default", NAME)
    written(cluster)
    ensure(cluster, edges={})
    assert written(cluster) == [("create", "services", NAME)]


def test_objects_of_others_are_left_alone() -> None:
    cluster = cluster_with_model()
    cluster.create(SERVICES, "default", {"metadata": {"name": NAME}, "spec": {"ports": []}})
    with pytest.raises(ConflictError, match=f"Service default/{NAME}: exists and belongs to somebody else"):
        ensure(cluster, edges={})
    before = cluster.view.get(SERVICES, "default", NAME)
    ensure(cluster)
    assert cluster.view.get(SERVICES, "default", NAME) == before


def test_an_unwatched_object_of_others_is_found_by_the_conflict() -> None:
    cluster = cluster_with_model()
    cluster.paused = True
    cluster.create(DEPLOYMENTS, "default", {"metadata": {"name": NAME}, "spec": {}})
    with pytest.raises(ConflictError, match="belongs to somebody else"):
        ensure(cluster, edges={})


def test_a_late_watch_makes_nothing_twice() -> None:
    cluster = cluster_with_model()
    cluster.paused = True
    ensure(cluster, edges={})
    ensure(cluster, edges={})
    assert [verb for verb, *_ in written(cluster)] == ["create", "create"]


def test_objects_of_an_earlier_job_of_this_name_are_waited_for() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={}, uid="u-0")
    with pytest.raises(TemporaryError, match="belongs to an earlier job of this name"):
        ensure(cluster, edges={}, uid="u-1")


def test_what_the_api_server_says_is_for_the_people() -> None:
    cluster = cluster_with_model()

    def fail(verb: str, *_: object) -> None:
        if verb == "create":
            raise QuotaExceededError("exceeded quota: pods")

    cluster.fail = fail
    with pytest.raises(QuotaExceededError, match="exceeded quota"):
        ensure(cluster, edges={})


def test_a_template_without_its_model_says_so() -> None:
    with pytest.raises(SpecError, match="there is no Model 'm-dep'"):
        ensure(FakeCluster(), template=TEMPLATE)


def test_the_rollout_is_told_from_the_statuses() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={"replicas": 2})
    generation = {"observedGeneration": 1}
    cluster.set_status(DEPLOYMENTS, "default", NAME, generation | {"updatedReplicas": 2, "readyReplicas": 1})
    found = ensure(cluster, edges={"replicas": 2})
    assert found == EdgesRollout(
        wanted=2, ready=1, reason="EdgesStarting", message=f"Deployment {NAME}: 1 of 2 edges are ready"
    )
    cluster.set_status(DEPLOYMENTS, "default", NAME, generation | {"updatedReplicas": 2, "readyReplicas": 2})
    found = ensure(cluster, edges={"replicas": 2})
    assert found is not None
    assert found.settled
    # Written, and not yet seen by whoever makes the Pods: the old status says nothing of the new spec.
    found = ensure(cluster, edges={"replicas": 2, "image": "mine:2"})
    assert found is not None
    assert not found.settled


def test_what_keeps_a_pod_from_starting_is_in_the_message() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={})
    labels = cluster.view.get(DEPLOYMENTS, "default", NAME)["spec"]["template"]["metadata"]["labels"]
    cluster.create(PODS, "default", {"metadata": {"name": "p", "labels": labels}})
    waiting = {"name": "edge", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    cluster.set_status(PODS, "default", "p", {"phase": "Pending", "containerStatuses": [waiting]})
    found = ensure(cluster, edges={})
    assert found is not None
    assert found.reason == "EdgesFailing"
    assert found.message.endswith("Pod p: container edge: ErrImagePull: no such image")


def test_a_refused_pod_is_told_by_its_workload() -> None:
    cluster = cluster_with_model()
    ensure(cluster, edges={})
    condition = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota: pods"}
    cluster.set_status(DEPLOYMENTS, "default", NAME, {"observedGeneration": 1, "conditions": [condition]})
    found = ensure(cluster, edges={})
    assert found is not None
    assert found.message == f"Deployment {NAME}: 0 of 1 edges are ready; exceeded quota: pods"


def test_a_daemonset_counts_its_nodes() -> None:
    cluster = cluster_with_model()
    edges = {"kind": "DaemonSet"}
    ensure(cluster, edges=edges)
    status = {"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberReady": 3}
    cluster.set_status(DAEMONSETS, "default", NAME, status)
    found = ensure(cluster, edges=edges)
    assert found is not None
    assert (found.wanted, found.ready, found.settled) == (3, 3, True)
