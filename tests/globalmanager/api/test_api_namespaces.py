"""A job whose Pods the service would never see is refused when it is applied."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from fixtures_api import JOB_YAML, Api
from fixtures_cluster import FakeCluster
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import jobs
from globalmanager.runtimes.kubernetes.door import PodDoor


def apply(api: Api, namespace: str, *, pods: bool, watched: tuple[str, ...], **query: Any) -> Any:
    cluster = FakeCluster()
    settings = KubernetesSettings(
        namespace="sedna", service_url="http://sedna:8080", image="sedna-il:1", watch_namespaces=watched,
        runtime="pods" if pods else "process",
    )  # fmt: skip
    api.http.app.state.services = dataclasses.replace(
        api.services,
        cluster=Cluster(cluster, cluster.view, settings),
        pods=PodDoor(cluster, cluster.view, "sedna") if pods else None,
    )
    text = JOB_YAML.replace("metadata: {", f"metadata: {{namespace: {namespace}, ")
    return api.http.post(
        "/api/v1/resources",
        content=text,
        params=query,
        headers={"Authorization": "Bearer admin-secret", "Content-Type": "application/yaml"},
    )


@pytest.mark.parametrize("query", [{}, {"dryRun": "true"}])
def test_in_a_namespace_that_is_not_watched(api: Api, query: dict[str, Any]) -> None:
    answer = apply(api, "office", pods=True, watched=("factory", "lab"), **query)
    assert answer.status_code == 422, answer.text
    told = answer.text
    assert "IncrementalLearningJob office/pcb: metadata.namespace" in told
    assert "watched are factory, lab: SEDNA__KUBERNETES__WATCH_NAMESPACES" in told
    with api.services.db.read() as session:
        assert jobs.list_all(session) == (), "and nothing of the batch is kept"


@pytest.mark.parametrize(
    ("namespace", "pods", "watched"),
    [("factory", True, ("factory",)), ("office", True, ()), ("office", False, ("factory",))],
    ids=["watched", "all are", "workers are processes"],
)
def test_elsewhere_it_is_taken(api: Api, namespace: str, *, pods: bool, watched: tuple[str, ...]) -> None:
    answer = apply(api, namespace, pods=pods, watched=watched)
    assert answer.status_code == 200, answer.text
