"""The operator on a real API server: a service as a process here, its workers processes beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.crds import install_ours
from fixtures_service import Boards, eventually
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db import jobs
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from sedna.common.types import JobKey

pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")

JOB = "incrementallearningjob/pcb"


@pytest.fixture(scope="module", autouse=True)
def crds(cluster: Cluster) -> None:
    install_ours(cluster)


class People:
    """What they type."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, check=check)

    def apply(self, text: str) -> None:
        self.kubectl("apply", "-f", "-", stdin=text)

    def wait(self, condition: str, seconds: int = 120) -> None:
        self.kubectl("wait", f"--for=condition={condition}", JOB, f"--timeout={seconds}s")

    def status(self) -> dict[str, Any]:
        return self.cluster.get("-n", self.namespace, JOB).get("status", {})

    def condition(self, kind: str) -> dict[str, Any]:
        return next((one for one in self.status().get("conditions", ()) if one["type"] == kind), {})


@pytest.fixture
def people(cluster: Cluster, namespace: str) -> People:
    return People(cluster, namespace)


def service_for(cluster: Cluster, namespace: str, folder: Path) -> Service:
    kubernetes = KubernetesSettings(
        namespace=namespace, watch_namespaces=(namespace,), kubeconfig=cluster.kubeconfig, runtime="process"
    )
    return Service(ServiceSettings(data_dir=folder / "data", port=0, kubernetes=kubernetes))


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    return Boards(tmp_path / "boards")


@pytest.fixture
def running(cluster: Cluster, namespace: str, tmp_path: Path) -> Iterator[Service]:
    service = service_for(cluster, namespace, tmp_path)
    service.start()
    yield service
    service.stop()


def test_a_job_from_apply_to_delete(people: People, running: Service, boards: Boards) -> None:
    _, _, job = boards.job(threshold=2, wait_for=str(boards.go)).split("---")
    dataset, model, _ = boards.job(threshold=2, wait_for=str(boards.go)).split("---")
    people.apply(job)
    eventually(lambda: people.condition("Ready").get("reason") == "DatasetMissing")
    people.apply(dataset)
    people.apply(model)
    people.wait("Ready")
    people.wait("Progressing")
    eventually(lambda: people.status()["phase"] == "Training")
    assert people.condition("Deployed")["status"] == "False"
    # The service's rights are those of this namespace: nothing may wait for it.
    assert "finalizers" not in people.cluster.get("-n", people.namespace, JOB)["metadata"]
    boards.go.touch()
    people.wait("Deployed")
    status = people.status()
    assert (status["round"], status["model"], status["metric"]) == (1, 2, "value=2")

    people.kubectl("annotate", JOB, "sedna.io/trigger=train", "sedna.io/trigger-reason=new boards")
    people.wait("Deployed=false")
    people.wait("Deployed")
    assert people.status()["round"] == 2
    assert people.status()["manualTrigger"]["state"] == "accepted"
    eventually(lambda: people.status()["phase"] == "Waiting")

    people.apply(boards.job(threshold=1000))
    eventually(lambda: people.status()["observedGeneration"] == 2)
    people.kubectl("patch", JOB, "--type=merge", "-p", '{"spec":{"dataset":{"trainProb":3}}}')
    eventually(lambda: people.condition("Ready")["reason"] == "SpecInvalid")
    assert "spec.dataset.trainProb" in people.condition("Ready")["message"]
    people.kubectl("patch", JOB, "--type=merge", "-p", '{"spec":{"dataset":{"trainProb":0.5}}}')
    people.wait("Ready")

    story = people.kubectl("describe", JOB)
    for word in ("RoundStarted", "TrainingComplete", "EvaluationPassed", "Deployed", "TriggerAccepted", "SpecInvalid"):
        assert word in story, story
    columns = people.kubectl("get", "il").splitlines()
    assert columns[0].split()[:6] == ["NAME", "PHASE", "ROUND", "SAMPLES", "MODEL", "METRIC"]
    assert columns[1].split()[:6] == ["pcb", "Waiting", "2", "8", "3", "value=3"]

    people.kubectl("delete", JOB, "--timeout=60s")
    people.kubectl("delete", "dataset/boards", "model/base", "--timeout=60s")
    assert running.fault() is None


def test_a_job_that_trains_is_deleted_with_its_worker(people: People, running: Service, boards: Boards) -> None:
    people.apply(boards.job(threshold=2, wait_for=str(boards.go)))
    eventually(lambda: people.status().get("phase") == "Training")
    people.kubectl("delete", JOB, "--timeout=90s")
    assert "pcb" not in people.kubectl("get", "il", "--ignore-not-found")

    def is_over() -> bool:
        with running.api.db.read() as session:
            row = jobs.find(session, JobKey(namespace=people.namespace, name="pcb"))
        return row is not None and row.deleted_at is not None and row.state.current is None

    eventually(is_over)


def test_a_restart_goes_on_and_what_was_deleted_meanwhile_is_found(
    cluster: Cluster, people: People, boards: Boards, tmp_path: Path
) -> None:
    first = service_for(cluster, people.namespace, tmp_path)
    first.start()
    people.apply(boards.job(threshold=2))
    people.wait("Deployed")
    first.stop()
    version = cluster.get("-n", people.namespace, JOB)["metadata"]["resourceVersion"]
    second = service_for(cluster, people.namespace, tmp_path)
    second.start()
    eventually(lambda: second.api.cluster_health().reconciles.get(("IncrementalLearningJob", "ok")))
    time.sleep(1)
    assert cluster.get("-n", people.namespace, JOB)["metadata"]["resourceVersion"] == version, "nothing was written"
    second.stop()
    people.kubectl("delete", JOB, "--timeout=30s")
    third = service_for(cluster, people.namespace, tmp_path)
    third.start()

    def gone() -> bool:
        with third.api.db.read() as session:
            return not jobs.list_all(session)

    eventually(gone)
    third.stop()
