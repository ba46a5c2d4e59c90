"""Edges in the cluster beside the whole loop: they come with the model, follow it, and keep nobody waiting."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
from operator_world import SETTINGS, OperatorWorld

from fixtures_gm import job_spec
from globalmanager.auth.pod_edges import EdgeAdmission, admit_pod
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.kinds import DEPLOYMENTS, PODS, SERVICES
from globalmanager.db import edges
from globalmanager.engine.desired import heartbeat
from sedna.common.types import JobKey
from sedna.edge.protocol import EdgeHeartbeat, EdgeJobStatus

KEY = JobKey(name="boards")
TEMPLATE = {"spec": {"containers": [{"name": "infer", "image": "img"}]}}
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


@dataclass
class Pods:
    """The kubelet's and the helpers' part."""

    there: OperatorWorld

    def start(self, name: str, workload: str) -> EdgeAdmission:
        """A Pod of the Deployment as it is now, admitted by its helper."""
        cluster = self.there.cluster
        template = cluster.view.get(DEPLOYMENTS, "default", workload)["spec"]["template"]
        body = copy.deepcopy(template)
        body["metadata"] |= {"name": name, "namespace": "default"}
        uid = cluster.create(PODS, "default", body)["metadata"]["uid"]
        cluster.tokens[name] = ("default", "default", name, uid)
        world = self.there.world
        return admit_pod(world.db, Cluster(cluster, cluster.view, SETTINGS), name, world.clock.now())

    def beat(self, edge: str, **status: Any) -> int | None:
        world = self.there.world
        said = (EdgeJobStatus(job=KEY, **status),)
        message = EdgeHeartbeat(edge=edge, software="helper", at=world.clock.now(), jobs=said)
        answer = heartbeat(world.db, message, world.clock.now(), world.settings, self.there.cluster.view)
        return answer.jobs[0].model_version

    def ready(self, name: str) -> None:
        self.there.cluster.set_status(PODS, "default", name, READY)

    def end(self, name: str) -> None:
        self.there.cluster.remove(PODS, "default", name)


@pytest.fixture
def pods(there: OperatorWorld) -> Pods:
    return Pods(there)


def asking(there: OperatorWorld, *, hot: bool = True, **deploy: Any) -> None:
    spec = job_spec()
    spec["deploySpec"] |= deploy
    spec["deploySpec"]["model"] = {**spec["deploySpec"]["model"], "hotUpdateEnabled": hot}
    there.apply_dataset()
    there.apply_model()
    there.apply_job(spec)


def deployment(there: OperatorWorld, name: str) -> dict[str, Any]:
    found: dict[str, Any] = there.cluster.view.get(DEPLOYMENTS, "default", name)
    return found


def test_edges_come_with_the_first_model_and_go_with_the_wish(there: OperatorWorld) -> None:
    asking(there, edges={})
    there.until(lambda: deployment(there, "boards-edge"))
    assert there.cluster.view.get(SERVICES, "default", "boards-edge")
    there.apply_job(job_spec())
    there.until(lambda: not deployment(there, "boards-edge"))


@pytest.mark.parametrize("kind", [DEPLOYMENTS, SERVICES])
def test_whoever_deletes_an_object_gets_it_back_at_once(there: OperatorWorld, kind: Any) -> None:
    asking(there, edges={})
    there.until(lambda: there.cluster.view.get(kind, "default", "boards-edge"))
    there.restart()
    there.step()
    there.cluster.remove(kind, "default", "boards-edge")
    there.step()
    assert there.cluster.view.get(kind, "default", "boards-edge")


def test_nothing_is_written_while_nothing_changes(there: OperatorWorld) -> None:
    asking(there, template=TEMPLATE, edges={"service": {"port": 80}})
    there.until(lambda: deployment(there, "boards-inference"))
    there.step(5)
    there.cluster.requests.clear()
    there.step(400)
    assert there.cluster.requests == []


def test_a_hot_update_waits_for_the_program_and_restarts_nothing(there: OperatorWorld, pods: Pods) -> None:
    asking(there, template=TEMPLATE)
    there.until(lambda: deployment(there, "boards-inference"))
    edge = pods.start("pod-1", "boards-inference").edge
    pods.ready("pod-1")
    assert pods.beat(edge, state="serving", model_version=1) == 1
    before = deployment(there, "boards-inference")["spec"]
    there.world.samples(10)
    there.until(lambda: pods.beat(edge, state="serving", model_version=1) == 2)
    there.step(3)
    assert there.shown("Deployed") == ("False", "Deploying")
    pods.beat(edge, state="serving", model_version=2)
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))
    assert deployment(there, "boards-inference")["spec"] == before


def test_a_cold_update_replaces_the_pods_and_forgets_the_old_ones(there: OperatorWorld, pods: Pods) -> None:
    asking(there, template=TEMPLATE, hot=False)
    there.until(lambda: deployment(there, "boards-inference"))
    old = pods.start("pod-1", "boards-inference").edge
    pods.ready("pod-1")
    pods.beat(old, state="serving", model_version=1)
    there.world.samples(10)

    def version() -> str:
        notes = deployment(there, "boards-inference")["spec"]["template"]["metadata"]["annotations"]
        return str(notes["sedna.io/model-version"])

    there.until(lambda: pods.beat(old, state="serving", model_version=1) == 2 and version() == "2")
    new = pods.start("pod-2", "boards-inference").edge
    pods.beat(new, state="serving", model_version=2)
    there.step(2)
    assert there.shown("Deployed") == ("False", "Deploying"), "its Pod is not ready, and the old one still serves"
    pods.ready("pod-2")
    pods.beat(new, state="serving", model_version=2)
    there.step(61)  # as long as the old Pod may be news to another replica's watch
    pods.beat(new, state="serving", model_version=2)
    pods.end("pod-1")
    there.step(3)
    assert there.shown("Deployed") == ("True", "Deployed")
    with there.world.db.read() as session:
        assert [row.name for row in edges.list_all(session)] == [new]


def test_a_program_that_cannot_run_the_model_sends_it_back(there: OperatorWorld, pods: Pods) -> None:
    asking(there, template=TEMPLATE, hot=False)
    there.until(lambda: deployment(there, "boards-inference"))
    old = pods.start("pod-1", "boards-inference").edge
    pods.ready("pod-1")
    pods.beat(old, state="serving", model_version=1)
    there.world.samples(10)
    there.until(lambda: pods.beat(old, state="serving", model_version=1) == 2)
    there.step()
    new = pods.start("pod-2", "boards-inference").edge
    crashed = {
        "name": "infer",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"reason": "Error", "exitCode": 1}},
    }
    there.cluster.set_status(PODS, "default", "pod-2", {"containerStatuses": [crashed]})
    for _ in range(3):
        pods.beat(new, state="serving", model_version=2)
        pods.beat(old, state="serving", model_version=1)
        there.step()
    assert there.shown("Deployed") == ("False", "Failed")
    assert "CrashLoopBackOff" in there.condition("Deployed")["message"]
    notes = deployment(there, "boards-inference")["spec"]["template"]["metadata"]["annotations"]
    assert notes["sedna.io/model-version"] == "1", "back to the Pods that worked"


def test_an_empty_template_is_a_condition(there: OperatorWorld) -> None:
    asking(there, template={"spec": {"containers": []}})
    there.until(lambda: there.shown("Ready")[1] == "EdgesRefused")
    assert "lists no container" in there.condition("Ready")["message"]


def test_pods_that_do_not_start_are_said(there: OperatorWorld, pods: Pods) -> None:
    asking(there, edges={})
    there.until(lambda: deployment(there, "boards-edge"))
    pods.start("pod-1", "boards-edge")
    waiting = {"name": "edge", "state": {"waiting": {"reason": "ErrImagePull", "message": "no such image"}}}
    there.cluster.set_status(PODS, "default", "pod-1", {"containerStatuses": [waiting]})
    there.until(lambda: there.shown("Degraded") == ("True", "EdgesFailing"))
    assert "ErrImagePull: no such image" in there.condition("Degraded")["message"]


def test_why_an_edge_refuses_the_model_is_said(there: OperatorWorld, pods: Pods) -> None:
    asking(there, edges={})
    there.until(lambda: deployment(there, "boards-edge"))
    edge = pods.start("pod-1", "boards-edge").edge
    pods.beat(edge, state="loading")
    there.step(31)
    assert there.condition("Degraded") == {}, "it starts"
    for _ in range(2):
        pods.beat(edge, state="failed", failed_version=1, reason="answers 32 probabilities, but has 2 classes")
    there.until(lambda: there.shown("Degraded") == ("True", "EdgesFailing"), 320)
    assert (there.status()["phase"], there.status()["edges"]["servingCurrent"]) == ("Degraded", 0)
    assert "pod-1.default: answers 32 probabilities" in there.condition("Degraded")["message"]
