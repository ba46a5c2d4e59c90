"""A cluster that has KubeEdge Sedna's CRDs, objects and their history, and gets ours; and the way back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.crds import (
    DEPLOY,
    PLURALS,
    UPSTREAM,
    control_plane,
    install_ours,
    install_upstreams,
    objects,
    server_minor,
    set_status,
    wait_for,
)
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings

NAME = "helmet-detection-demo"
STARTED = "2026-01-02T03:04:05Z"


def round_of_upstream(number: int) -> Iterator[dict[str, str]]:
    """What one round of upstream's adds to the list, which nothing ever trims."""
    for stage in ("Train", "Eval", "Deploy"):
        for kind in ("Waiting", "Ready", "Starting", "Running", "Completed"):
            time = f"2026-01-02T{number:02d}:30:00Z"
            entry = {"type": kind, "status": "True", "stage": stage, "lastHeartbeatTime": time}
            entry |= {"lastTransitionTime": time, "reason": "", "message": "reported by lc"}
            if kind == "Ready":
                entry["data"] = json.dumps({"input": {"models": [{"format": "ckpt", "url": "/m", "classes": None}]}})
            yield entry


HISTORY = [entry for number in range(3) for entry in round_of_upstream(number)]

OURS = [
    {
        "type": "Ready",
        "status": "False",
        "reason": "MigratedFromUpstream",
        "message": "was Deploy/Completed",
        "observedGeneration": 1,
        "lastTransitionTime": "2026-02-03T04:05:06Z",
    },
    {"type": "Progressing", "status": "False", "reason": "Waiting", "observedGeneration": 1},
]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with control_plane(tmp_path_factory.mktemp("takeover")) as found:
        yield found


@pytest.fixture
def cluster(plane: Cluster) -> Cluster:
    """Upstream's CRDs, its helmet example with labels on a Pod template, and the status of three rounds."""
    install_upstreams(plane)
    bodies = objects(UPSTREAM / "helmet_detection.yaml")
    bodies[-1]["spec"]["trainSpec"]["template"]["metadata"] = {"labels": {"team": "vision"}}
    plane.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
    status = {"status": {"conditions": HISTORY, "startTime": STARTED}}
    set_status(plane, "il", NAME, "default", json.dumps(status))
    dataset = {"status": {"numberOfSamples": 500, "updateTime": STARTED}}
    set_status(plane, "dataset", "incremental-dataset", "default", json.dumps(dataset))
    model = {"status": {"updateTime": STARTED, "metrics": [{"key": "precision", "value": "0.9"}]}}
    set_status(plane, "model", "deploy-model", "default", json.dumps(model))
    return plane


def job(cluster: Cluster) -> dict[str, Any]:
    """The job as it is stored."""
    found: dict[str, Any] = cluster.get("incrementallearningjobs", NAME)
    return found


def take_over(cluster: Cluster) -> None:
    """What the service's first status of a job does: the conditions as a whole, and the rest beside them."""
    status = {"conditions": OURS, "phase": "Waiting", "ready": "False", "reason": "MigratedFromUpstream"}
    set_status(cluster, "il", NAME, "default", json.dumps({"status": status}))


def test_the_reproduction_prunes_and_keeps_as_upstream_does(cluster: Cluster) -> None:
    stored = job(cluster)
    assert stored["spec"]["trainSpec"]["template"]["metadata"] == {}
    assert stored["status"]["conditions"] == HISTORY
    assert [entry["type"] for entry in stored["status"]["conditions"]].count("Ready") == 9


@pytest.mark.parametrize("how", [(), ("--server-side", "--force-conflicts")], ids=["plain", "server-side"])
def test_ours_goes_over_it_and_everything_stored_is_there(cluster: Cluster, how: tuple[str, ...]) -> None:
    before = job(cluster)
    install_ours(cluster, *how)
    after = job(cluster)
    assert after["spec"] == before["spec"]
    assert after["status"] == before["status"], "stage and data too: they say where the job stood"
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    dataset = cluster.get("datasets", "incremental-dataset")
    assert dataset["status"] == {"numberOfSamples": 500, "updateTime": STARTED}
    assert cluster.get("models", "deploy-model")["status"]["metrics"] == [{"key": "precision", "value": "0.9"}]


def test_objects_with_upstreams_status_can_be_written(cluster: Cluster) -> None:
    install_ours(cluster)
    cluster.kubectl("label", "il", NAME, "team=vision")
    cluster.kubectl("annotate", "il", NAME, "sedna.io/trigger=train")
    bodies = objects(UPSTREAM / "helmet_detection.yaml")
    bodies[-1]["spec"]["trainSpec"]["trigger"]["cooldownSeconds"] = 60
    bodies[-1]["spec"]["trainSpec"]["template"]["metadata"] = {"labels": {"team": "vision"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": bodies}))
    set_status(cluster, "il", NAME, "default", json.dumps({"status": {"phase": "Waiting"}}))
    stored = job(cluster)
    assert stored["metadata"]["labels"] == {"team": "vision"}
    assert stored["spec"]["trainSpec"]["trigger"]["cooldownSeconds"] == 60
    assert stored["spec"]["trainSpec"]["template"]["metadata"] == {"labels": {"team": "vision"}}
    assert stored["status"] == {"conditions": HISTORY, "startTime": STARTED, "phase": "Waiting"}


def test_the_columns_never_show_upstreams_ready(cluster: Cluster) -> None:
    install_ours(cluster)
    untouched = cluster.kubectl("get", "il", NAME, "--no-headers").split()
    assert untouched[0] == NAME
    assert len(untouched) == 2, f"only name and age: {untouched}"
    take_over(cluster)
    name, phase, ready, reason, _ = cluster.kubectl("get", "il", NAME, "--no-headers").split()
    assert (name, phase, ready, reason) == (NAME, "Waiting", "False", "MigratedFromUpstream")


def test_the_first_status_replaces_the_history(cluster: Cluster) -> None:
    install_ours(cluster)
    take_over(cluster)
    status = job(cluster)["status"]
    assert status["conditions"] == OURS
    assert status["startTime"] == STARTED
    refused = cluster.run("kubectl", "wait", f"il/{NAME}", "--for=condition=Ready", "--timeout=1s", check=False)
    assert refused.returncode == 1
    assert "timed out" in refused.stderr
    ready = [{**OURS[0], "status": "True", "reason": "Waiting"}, OURS[1]]
    set_status(cluster, "il", NAME, "default", json.dumps({"status": {"conditions": ready}}))
    assert "condition met" in cluster.kubectl("wait", f"il/{NAME}", "--for=condition=Ready", "--timeout=30s")


def test_server_side_apply_to_the_status_works_once_the_history_is_replaced(cluster: Cluster) -> None:
    install_ours(cluster)
    one = {"type": "Degraded", "status": "True", "reason": "Test"}
    body = objects(UPSTREAM / "helmet_detection.yaml")[-1]
    mine = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {"name": NAME}}
    mine["status"] = {"conditions": [one]}
    apply = ("kubectl", "apply", "--server-side", "--subresource=status", "--field-manager=test", "--validate=false")
    refused = cluster.run(*apply, "-f", "-", stdin=json.dumps(mine), check=False)
    if server_minor(cluster) < 29:
        assert refused.returncode == 1
        assert "duplicate entries" in refused.stderr
    take_over(cluster)
    cluster.run(*apply, "-f", "-", stdin=json.dumps(mine))
    assert job(cluster)["status"]["conditions"] == [*OURS, one], "a map by type: another manager adds its own"


def test_server_side_apply_of_the_job_works_after_that_too(cluster: Cluster) -> None:
    install_ours(cluster)
    take_over(cluster)
    body = objects(UPSTREAM / "helmet_detection.yaml")[-1]
    body["spec"]["classNames"] = ["person", "helmet"]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(body))
    stored = job(cluster)
    assert stored["spec"]["classNames"] == ["person", "helmet"]
    assert stored["status"]["conditions"] == OURS


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_the_service_replaces_the_history_and_keeps_its_last_words(cluster: Cluster, tmp_path: Path) -> None:
    install_ours(cluster)
    kubernetes = KubernetesSettings(
        namespace="default", watch_namespaces=("default",), kubeconfig=cluster.kubeconfig, runtime="process"
    )
    service = Service(ServiceSettings(data_dir=tmp_path / "data", port=0, kubernetes=kubernetes))
    service.start()
    try:
        wait_for(lambda: job(cluster)["status"].get("observedGeneration") == 1, "the operator's first status")
        wait_for(lambda: "ModelUnavailable" in cluster.kubectl("get", "il", NAME), "the model's files are missed")
    finally:
        service.stop()
    stored = job(cluster)
    conditions = {entry["type"]: entry for entry in stored["status"]["conditions"]}
    assert len(conditions) == len(stored["status"]["conditions"]), "each type once"
    assert not any("stage" in entry or "data" in entry for entry in conditions.values())
    assert conditions["Ready"]["status"] == "False"
    assert conditions["Deployed"]["reason"] == "MigratedFromUpstream"
    assert "Deploy/Completed" in conditions["Deployed"]["message"]
    assert stored["spec"]["trainSpec"]["template"]["spec"]["containers"][0]["args"] == ["train.py"]


def test_the_way_back_to_upstream(cluster: Cluster) -> None:
    """By the commands of deploy/README.md: upstream requires a stage of every condition, so that ours have to go."""
    install_ours(cluster)
    take_over(cluster)
    blocks = re.findall(r"```sh\n(.*?)```", (DEPLOY / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    (commands,) = (block for block in blocks if "sedna/build/crds/" in block)
    commands = commands.replace("sedna/build/crds/", str(UPSTREAM / "crds.yaml"))
    cluster.run("bash", "-euo", "pipefail", "-c", commands)
    assert "status" not in job(cluster)
    cluster.kubectl("label", "il", NAME, "back=yes")
    set_status(cluster, "il", NAME, "default", json.dumps({"status": {"conditions": HISTORY}}))
    stored = job(cluster)
    assert stored["status"]["conditions"] == HISTORY
    assert stored["spec"] == objects(UPSTREAM / "helmet_detection.yaml")[-1]["spec"] | {
        "trainSpec": stored["spec"]["trainSpec"]
    }
    install_ours(cluster)
    assert job(cluster)["status"]["conditions"] == HISTORY


def test_deleting_ours_takes_the_objects_with_it(cluster: Cluster) -> None:
    """Which is why the chart keeps them, and why the README says so."""
    install_ours(cluster)
    cluster.kubectl("delete", "-f", str(DEPLOY / "crds"))
    left = json.loads(cluster.kubectl("get", "crd", "-o", "json"))["items"]
    assert {body["metadata"]["name"] for body in left} & {f"{plural}.sedna.io" for plural in PLURALS} == set()
