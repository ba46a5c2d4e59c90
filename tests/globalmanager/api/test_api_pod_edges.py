"""Edges that are Pods: who gets in, what they may, and what is left when they are gone."""

from __future__ import annotations

import copy
import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from fixtures_api import JOB_YAML, Api, png
from fixtures_cluster import FakeCluster
from globalmanager.api.manifests import parse_manifests
from globalmanager.auth.pod_edges import forget_gone_pods
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.names import job_labels
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import edges, events, tokens
from globalmanager.engine.apply import apply_resources
from sedna.common.types import JobKey

SETTINGS = KubernetesSettings(namespace="sedna", service_url="http://sedna:8080", image="sedna-il:1")
POD = {
    "metadata": {
        "name": "pcb-1",
        "labels": job_labels("pcb", "u-job", "inference"),
        "annotations": {"sedna.io/job": "pcb", "sedna.io/edge-name": "$(POD_NAME).$(POD_NAMESPACE)"},
    },
    "spec": {"nodeName": "n1", "containers": [{"name": "sedna-lc"}, {"name": "infer"}]},
}


@pytest.fixture
def cluster(api: Api) -> FakeCluster:
    """The service in a cluster, and the job as the operator has taken it in."""
    cluster = FakeCluster()
    described = JOB_YAML.replace("metadata: {name: pcb}", "metadata: {name: pcb, uid: u-job}")
    # Not through the API, which takes no uid: that is the cluster's to give.
    apply_resources(api.services.db, parse_manifests(described.encode(), "test"), api.clock.now())
    connected = dataclasses.replace(api.services, cluster=Cluster(cluster, cluster.view, SETTINGS))
    api.http.app.state.services = connected
    return cluster


def add_pod(cluster: FakeCluster, body: dict = POD, *, token: str = "pod-token") -> str:
    made = cluster.create(PODS, "default", copy.deepcopy(body))
    meta = made["metadata"]
    cluster.tokens[token] = ("default", "default", meta["name"], meta["uid"])
    return str(meta["uid"])


def with_meta(**changes: Any) -> dict:
    body = copy.deepcopy(POD)
    for part, values in changes.items():
        body["metadata"][part] = {**body["metadata"][part], **values}
    return body


def admit(api: Api, token: str = "pod-token") -> Any:
    return api.http.post("/api/v1/edge-token", headers={"Authorization": f"Bearer {token}"})


def beat(api: Api, admission: dict, *, version: int | None = 1, state: str = "serving", **more: Any) -> Any:
    status = {"job": {"name": "pcb"}, "model_version": version, "state": state, **more}
    body = {"edge": admission["edge"], "software": "test", "at": "2026-01-01T00:00:00Z", "jobs": [status]}
    headers = {"Authorization": f"Bearer {admission['token']}"}
    return api.http.post(f"/api/v1/edges/{admission['edge']}/heartbeat", json=body, headers=headers)


def kinds(api: Api) -> list[str]:
    with api.services.db.read() as session:
        return [event.kind for event in events.after(session, 0)]


def said(api: Api) -> Any:
    (edge,) = [edge for edge in api.get("edges") if edge["name"] == "pcb-1.default"]
    return edge["jobs"][0]


def test_a_pod_becomes_an_edge_and_serves_its_job(api: Api, cluster: FakeCluster) -> None:
    add_pod(cluster)
    answer = admit(api)
    assert answer.status_code == 200, answer.text
    admission = answer.json()
    assert admission["edge"] == "pcb-1.default"
    wanted = beat(api, admission, version=None, state="empty").json()
    assert [job["job"]["name"] for job in wanted["jobs"]] == ["pcb"]
    assert api.put_sample(
        png(3), {"Authorization": f"Bearer {admission['token']}"}, edge="pcb-1.default"
    ).status_code == 201  # fmt: skip
    assert kinds(api).count("EdgeRegistered") == 1


def test_it_hears_of_no_other_job(api: Api, cluster: FakeCluster) -> None:
    api.apply(JOB_YAML.replace("{name: pcb}", "{name: other}"))
    add_pod(cluster)
    admission = admit(api).json()
    wanted = beat(api, admission, version=None, state="empty").json()
    assert [job["job"]["name"] for job in wanted["jobs"]] == ["pcb"]
    headers = {"Authorization": f"Bearer {admission['token']}"}
    for path in ("jobs", "jobs/default/other/models", "edges", "edges/line-1", "resources"):
        refused = api.http.get(f"/api/v1/{path}", headers=headers)
        assert refused.status_code == 403, path
    own = api.http.get("/api/v1/jobs/default/pcb/models/1/manifest", headers=headers)
    assert own.status_code == 404, "allowed to ask; there is no model yet"
    assert api.http.get("/api/v1/jobs/default/other/models/1/manifest", headers=headers).status_code == 403
    assert api.put_sample(png(3), headers, edge="line-1").status_code == 403


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (with_meta(labels={"incrementallearningjob.sedna.io/uid": "u-old"}), "of another job, or of an earlier one"),
        (with_meta(labels={"incrementallearningjob.sedna.io/worker-type": "train"}), "of another job"),
        (with_meta(annotations={"sedna.io/job": "nobody"}), "there is no such job"),
        (with_meta(annotations={"sedna.io/job": ""}), "has no annotation sedna.io/job"),
        (with_meta(annotations={"sedna.io/edge-name": "line-1"}), "gives 'line-1'"),
        (with_meta(annotations={"sedna.io/edge-name": "pcb-1.elsewhere"}), "gives 'pcb-1.elsewhere'"),
        (with_meta(annotations={"sedna.io/edge-name": ""}), "gives ''"),
    ],
)
def test_a_pod_that_is_no_edge_stays_out(api: Api, cluster: FakeCluster, body: dict, message: str) -> None:
    add_pod(cluster, body)
    answer = admit(api)
    assert answer.status_code == 403
    assert message in answer.json()["detail"]


def test_a_token_whose_pod_is_gone_opens_nothing(api: Api, cluster: FakeCluster) -> None:
    add_pod(cluster)
    cluster.remove(PODS, "default", "pcb-1")
    assert admit(api).status_code == 401
    cluster.create(PODS, "default", copy.deepcopy(POD))  # of the same name: another Pod
    assert admit(api).status_code == 401
    assert admit(api, "forged").status_code == 401
    assert api.http.post("/api/v1/edge-token").status_code == 401


def test_outside_of_a_cluster_there_are_no_pods(api: Api) -> None:
    answer = admit(api)
    assert answer.status_code == 404
    assert answer.json()["hint"] == "an edge elsewhere is registered by an admin"


def test_a_registered_edge_is_not_taken_over(api: Api, cluster: FakeCluster) -> None:
    with api.services.db.write() as session:
        edges.register(session, "pcb-1.default", api.clock.now())
    add_pod(cluster)
    assert admit(api).status_code == 409


def test_a_name_that_outlives_its_pod_is_the_next_pods(api: Api, cluster: FakeCluster) -> None:
    fixed = with_meta(annotations={"sedna.io/edge-name": "pcb-edge-$(NODE_NAME).$(POD_NAMESPACE)"})
    add_pod(cluster, fixed)
    first = admit(api).json()
    assert first["edge"] == "pcb-edge-n1.default"
    cluster.remove(PODS, "default", "pcb-1")
    fixed["metadata"]["name"] = "pcb-2"
    add_pod(cluster, fixed, token="second")
    second = admit(api, "second").json()
    assert second["edge"] == first["edge"]
    assert beat(api, first).status_code == 401, "the old Pod speaks for nobody"
    assert beat(api, second).status_code == 200


def test_tokens_end_and_do_not_pile_up(api: Api, cluster: FakeCluster) -> None:
    add_pod(cluster)
    first = admit(api).json()
    for _ in range(5):
        api.clock.advance(3000)
        last = admit(api).json()
    assert beat(api, first).status_code == 401
    assert beat(api, last).status_code == 200
    with api.services.db.read() as session:
        found = session.connection().exec_driver_sql("SELECT count(*) FROM tokens WHERE edge = 'pcb-1.default'")
        assert found.scalar() == 2, "the last, and the one before it that is still valid"
        assert all(token.edge != "pcb-1.default" for token in tokens.list_all(session)), "nobody has made them"


def forget(api: Api, cluster: FakeCluster, job: JobKey | None = None, *, watched: bool = True) -> dict[str, JobKey]:
    return forget_gone_pods(api.services.db, cluster.view, api.clock.now(), job, is_watched=lambda _: watched)


def test_a_gone_pod_is_forgotten_and_keeps_nobody_waiting(api: Api, cluster: FakeCluster) -> None:
    add_pod(cluster)
    admission = admit(api).json()
    beat(api, admission)
    cluster.remove(PODS, "default", "pcb-1")
    # A watch of another replica may be later than the admission.
    assert forget(api, cluster) == {}
    api.clock.advance(61)
    cluster.synced = False
    assert forget(api, cluster) == {}, "it saw nothing yet"
    cluster.synced = True
    assert forget(api, cluster, watched=False) == {}, "of its namespace nothing is seen at all"
    elsewhere = JobKey(name="other")
    assert forget(api, cluster, elsewhere) == {}
    assert list(forget(api, cluster)) == ["pcb-1.default"]
    assert beat(api, admission).status_code == 401
    assert [edge["name"] for edge in api.get("edges")] == ["line-1", "line-2"]


def test_a_living_pod_is_kept(api: Api, cluster: FakeCluster) -> None:
    add_pod(cluster)
    admit(api)
    api.clock.advance(timedelta(days=1).total_seconds())
    assert forget(api, cluster) == {}


READY = {"conditions": [{"type": "Ready", "status": "True"}]}
CRASHED = {
    "containerStatuses": [
        {
            "name": "infer",
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
            "lastState": {"terminated": {"reason": "Error", "exitCode": 3, "message": "bad model\n"}},
        }
    ]
}
PULLING = {"containerStatuses": [{"name": "infer", "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}}]}


@pytest.mark.parametrize(
    ("pod_status", "state", "version", "reason"),
    [
        (READY, "serving", 1, ""),
        ({}, "loading", None, "its Pod is not ready"),
        (PULLING, "loading", None, "container infer: ErrImagePull: no"),
        (
            CRASHED,
            "failed",
            None,
            "container infer: CrashLoopBackOff: it ended with Error, exit code 3: bad model",
        ),
    ],
)
def test_a_model_serves_when_its_program_runs(
    api: Api, cluster: FakeCluster, pod_status: dict, state: str, version: int | None, reason: str
) -> None:
    add_pod(cluster)
    admission = admit(api).json()
    cluster.set_status(PODS, "default", "pcb-1", pod_status)
    assert beat(api, admission).status_code == 200
    found = said(api)
    assert (found["state"], found["model_version"], found["reason"]) == (state, version, reason)


def test_our_edge_server_speaks_for_itself(api: Api, cluster: FakeCluster) -> None:
    body = copy.deepcopy(POD)
    body["spec"]["containers"] = [{"name": "edge"}]
    add_pod(cluster, body)
    beat(api, admit(api).json())
    assert said(api)["state"] == "serving"
    assert "EdgeServes" in kinds(api)
