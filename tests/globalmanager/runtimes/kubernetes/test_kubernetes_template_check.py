"""A template is tried at the API server before a round needs it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fixtures_cluster import FakeCluster
from fixtures_pods import SETTINGS, UPSTREAM_TEMPLATE
from globalmanager.cluster.api import (
    Body,
    ClusterUnavailableError,
    NamespaceTerminatingError,
    QuotaExceededError,
)
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.kubernetes import dry_run
from sedna.common.errors import AuthError, SpecError
from sedna.loop.spec import IncrementalLearningJob


def job(**train: Any) -> IncrementalLearningJob:
    spec = {
        "dataset": {"name": "stream", "trainProb": 0.5},
        "initialModel": {"name": "first"},
        "trainSpec": {"template": UPSTREAM_TEMPLATE, **train},
        "evalSpec": {"template": UPSTREAM_TEMPLATE},
        "deploySpec": {"model": {"name": "first"}, "hardExampleMining": {"name": "IBT"}},
    }
    return IncrementalLearningJob.model_validate({"metadata": {"name": "pcb", "uid": "u-1"}, "spec": spec})


class Server(FakeCluster):
    """Keeps the Pods that it was asked about, and refuses those that a test does not want."""

    def __init__(self) -> None:
        super().__init__()
        self.tried: list[Body] = []

    def create(self, kind: Any, namespace: str | None, body: Body, *, dry_run: bool = False) -> Body:
        self.tried.append(copy.deepcopy(body))
        return super().create(kind, namespace, body, dry_run=dry_run)


def test_the_finished_pods_are_tried_and_none_is_made() -> None:
    server = Server()
    assert dry_run(server, SETTINGS, job()) == []
    assert [pod["metadata"]["labels"]["incrementallearningjob.sedna.io/worker-type"] for pod in server.tried] == [
        "train",
        "eval",
    ]
    assert server.tried[0]["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert [one["name"] for one in server.tried[0]["spec"]["containers"]] == ["lc", "train"]
    assert {request[0] for request in server.requests} == {"dry-run"}
    assert server.list(PODS) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (SpecError("spec.containers[1].image: Required value"), "trainSpec.template: spec.containers[1].image"),
        (AuthError('forbidden: violates PodSecurity "restricted"', forbidden=True), "violates PodSecurity"),
    ],
)
def test_what_the_server_says_is_the_problem(error: Exception, said: str) -> None:
    server = Server()
    asked = iter([error])

    def fail(*_: Any) -> None:
        if (found := next(asked, None)) is not None:
            raise found

    server.fail = fail
    [problem] = dry_run(server, SETTINGS, job())
    assert said in problem


@pytest.mark.parametrize(
    "error",
    [
        QuotaExceededError("exceeded quota"),
        NamespaceTerminatingError("being terminated"),
        AuthError('User "sedna" cannot create resource "pods"', forbidden=True),
    ],
)
def test_what_depends_on_the_day_is_no_problem_of_the_template(error: Exception) -> None:
    server = Server()

    def fail(*_: Any) -> None:
        raise error

    server.fail = fail
    assert dry_run(server, SETTINGS, job()) == []


def test_what_we_cannot_build_is_a_problem_before_anybody_is_asked() -> None:
    server = Server()
    template = {"spec": {"containers": [{"name": "lc", "image": "i"}]}}
    [problem] = dry_run(server, SETTINGS, job(template=template))
    assert "trainSpec.template.spec.containers: the name 'lc' is ours" in problem
    assert len(server.tried) == 1, "the evaluation's"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (
            {"containers": [{"name": "t", "image": "i", "volumeMounts": [{"name": "sedna-token", "mountPath": "/t"}]}]},
            "trainSpec.template.spec.containers: container t: the volume 'sedna-token' is ours",
        ),
        ({"containers": [{"name": "t", "image": "i"}], "volumes": "data"}, "trainSpec.template.spec: is no Pod's"),
    ],
)
def test_what_may_not_be_said_is_a_problem_too(spec: dict[str, Any], said: str) -> None:
    server = Server()
    [problem] = dry_run(server, SETTINGS, job(template={"spec": spec}))
    assert said in problem
    assert len(server.tried) == 1, "the evaluation's"


def test_an_api_server_that_is_away_says_nothing() -> None:
    server = Server()

    def away(*_: Any) -> None:
        raise ClusterUnavailableError("away")

    server.fail = away
    with pytest.raises(ClusterUnavailableError):
        dry_run(server, SETTINGS, job())


def test_workers_that_are_processes_have_no_pods() -> None:
    server = Server()
    assert dry_run(server, KubernetesSettings(namespace="sedna", runtime="process"), job()) == []
    assert server.tried == []
