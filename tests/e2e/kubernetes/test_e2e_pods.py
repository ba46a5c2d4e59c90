"""Trainings and evaluations as Pods on a real node, beside a service that runs on this machine."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from e2e.house import House
from e2e.kubernetes.cluster import Cluster
from e2e.kubernetes.pod_house import AGAIN, GOOD, PodHouse, phases, until
from e2e.kubernetes.pod_jobs import write_job
from fixtures_orders import ALGORITHM
from fixtures_s3 import S3Server
from sedna.store import S3Settings
from sedna.store.s3 import S3Store


@pytest.fixture
def shared_store(cluster: Cluster, s3_server: S3Server) -> Iterator[S3Server]:
    """An object store that has one address for this machine and for Pods."""
    socat, port = shutil.which("socat"), s3_server.endpoint.rpartition(":")[2]
    if socat is None:
        pytest.skip("needs socat")
    listen = f"TCP-LISTEN:{port},bind={cluster.host},fork,reuseaddr"
    with subprocess.Popen([socat, listen, f"TCP:127.0.0.1:{port}"]) as forward:
        try:
            yield dataclasses.replace(s3_server, endpoint=f"http://{cluster.host}:{port}")
        finally:
            forward.terminate()


def test_a_round_of_a_program_in_upstreams_style(pods: PodHouse) -> None:
    pods.apply(env={"MODEL_MIB": "20"})
    seen = until(pods.pods, "a Pod")[0]
    assert seen["metadata"]["name"].startswith("pcb-train-")
    assert pods.outcome()["outcome"] == "Deployed"
    assert phases(pods.workers()) == GOOD
    assert "uid 0" in pods.log("train"), "the user's image runs as it likes"
    assert '"Status": 200' in pods.log("eval")
    address = f"jobs/{pods.namespace}/pcb/models/2/manifest"
    manifest = pods.service.get(address)
    assert {file["name"] for file in manifest["files"]} == {"model.json", "weights.bin"}
    until(lambda: not pods.pods(), "a round's Pods go with it")
    assert pods.service.end() == 0
    pods.house.check_logs()


def test_everything_in_an_object_store_with_the_keys_of_a_secret(
    tmp_path: Path, cluster: Cluster, namespace: str, node: str, shared_store: S3Server
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "foreign",
            "annotations": {"s3-endpoint": shared_store.endpoint.removeprefix("http://"), "s3-usehttps": "0"},
        },
        "stringData": {"ACCESS_KEY_ID": shared_store.access_key, "SECRET_ACCESS_KEY": shared_store.secret_key},
    }
    cluster.kubectl("apply", "-n", namespace, "-f", "-", stdin=json.dumps(secret))
    foreign = S3Store(
        S3Settings(
            endpoint=shared_store.endpoint,
            access_key=shared_store.access_key,
            secret_key=SecretStr(shared_store.secret_key),
        ),
        shared_store.bucket,
        f"foreign-{namespace}",
    )
    with House(tmp_path) as house:
        pods = PodHouse(house, cluster, namespace, node, shared_store)
        path = write_job(house.folder, namespace, node, env={"MODEL_MIB": "20"}, base=foreign.url, credential="foreign")
        for file in house.folder.glob("*.*"):
            if file.suffix in (".png", ".txt", ".json"):
                foreign.put(file.name, file)
        foreign.close()
        house.cli("job", "apply", "-f", str(path))
        pod = until(pods.pods, "a Pod")[0]
        assert shared_store.secret_key not in json.dumps(pod), "values of Secrets are in no Pod"
        assert pods.outcome()["outcome"] == "Deployed"
        assert phases(pods.workers()) == GOOD
        assert f"s3 {shared_store.endpoint} {shared_store.access_key}" in pods.log("train")
        for name in ("lc", "stage-in"):
            container = next(
                one for one in (*pod["spec"]["containers"], *pod["spec"]["initContainers"]) if one["name"] == name
            )
            assert not {"ACCESS_KEY_ID", "SECRET_ACCESS_KEY"} & {one["name"] for one in container["env"]}


def test_a_store_that_pods_cannot_reach_is_passed_on_by_the_service(
    tmp_path: Path, cluster: Cluster, namespace: str, node: str, s3_server: S3Server
) -> None:
    """Its signed addresses name 127.0.0.1, which is another machine for a Pod."""
    with House(tmp_path) as house:
        pods = PodHouse(house, cluster, namespace, node, s3_server)
        pods.apply(env={"MODEL_MIB": "20"})
        assert pods.outcome()["outcome"] == "Deployed"
        assert phases(pods.workers()) == GOOD


def test_a_registered_algorithm_in_our_image(pods: PodHouse) -> None:
    module = pods.house.folder / "counter.py"
    module.write_text(ALGORITHM)
    pods.apply(algorithm={"name": "Counter", "module": str(module), "parameters": {"pause": "0.2"}})
    pod = until(pods.pods, "a Pod")[0]
    assert [one["name"] for one in pod["spec"]["containers"]] == ["train"]
    assert pods.outcome()["outcome"] in ("Deployed", "Rejected")
    assert phases(pods.workers()) == GOOD


@pytest.mark.parametrize("how", ["forced", "evicted", "deleted"])
def test_a_training_that_is_taken_away_goes_on_from_its_checkpoint(pods: PodHouse, how: str) -> None:
    pods.apply(env={"STEPS": "40", "PAUSE": "0.5"})
    pod = pods.works()["metadata"]["name"]
    until(lambda: pods.workers()[0]["progress"]["iteration"] >= 11, "two checkpoints")
    kubectl = pods.cluster.kubectl
    if how == "forced":
        kubectl("delete", "pod", pod, "-n", pods.namespace, "--force", "--grace-period=0")
    elif how == "evicted":
        body = {
            "apiVersion": "policy/v1beta1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": pods.namespace},
            "deleteOptions": {"gracePeriodSeconds": 5},
        }
        path = f"/api/v1/namespaces/{pods.namespace}/pods/{pod}/eviction"
        kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    else:
        kubectl("delete", "pod", pod, "-n", pods.namespace, "--grace-period=5", "--wait=false")
    assert pods.outcome()["outcome"] == "Deployed"
    rows = pods.workers()
    assert phases(rows)[1:] == AGAIN
    assert rows[0]["phase"] == "Failed"
    assert rows[0]["cause"] in ("WorkerLost", "WorkerFailed"), rows[0]["error"]
    resumed = int(pods.log("train").partition("resumed at step ")[2].split()[0])
    assert resumed >= 6, "the second attempt goes on where the first was"


def test_a_memory_limit_is_told_and_tried_once_more(pods: PodHouse) -> None:
    pods.apply(env={"MODE": "memory"}, limits={"memoryMib": 96, "retries": 5})
    outcome = pods.outcome()
    assert outcome["outcome"] == "Failed"
    assert phases(pods.workers()) == [("Training", 1, "Failed", "OOMKilled"), ("Training", 2, "Failed", "OOMKilled")]
    assert "memory limit of 96Mi, as before" in outcome["reason"]


def test_a_disk_limit_evicts(pods: PodHouse) -> None:
    pods.apply(env={"MODE": "disk"}, limits={"diskMib": 64, "retries": 0})
    assert pods.outcome()["outcome"] == "Failed"
    assert phases(pods.workers()) == [("Training", 1, "Failed", "Evicted")]


def test_an_exit_code_is_final_and_its_log_is_told(pods: PodHouse) -> None:
    pods.apply(env={"MODE": "exit"})
    outcome = pods.outcome()
    assert outcome["outcome"] == "Failed"
    assert phases(pods.workers()) == [("Training", 1, "Failed", "WorkerFailed")]
    assert "exit code 3" in outcome["reason"]
    assert "resumed at step 0" in outcome["reason"]


def test_an_image_that_is_not_there_is_said_while_it_is_waited_for(pods: PodHouse) -> None:
    pods.apply(container={"image": "no-such.invalid/image:1", "imagePullPolicy": "IfNotPresent"})
    row = until(lambda: next((one for one in pods.workers() if one["cause"] == "ImagePullFailed"), None), "the cause")
    assert "no-such.invalid/image:1" in row["waiting"]
    assert row["phase"] == "Running"


def test_a_node_that_is_not_there_is_waited_for(pods: PodHouse) -> None:
    pods.apply(pod={"nodeSelector": {"gpu": "h100"}})
    row = until(lambda: next((one for one in pods.workers() if one["cause"] == "Unschedulable"), None), "the cause")
    assert "nodes are available" in row["waiting"]


def test_a_program_that_is_not_there(pods: PodHouse) -> None:
    pods.apply(container={"command": ["/no/such/program"]})
    outcome = pods.outcome()
    assert phases(pods.workers()) == [("Training", 1, "Failed", "ContainerCannotRun")]
    assert "/no/such/program" in outcome["reason"]


def test_the_service_is_killed_while_a_training_runs(pods: PodHouse) -> None:
    pods.apply(env={"STEPS": "20", "PAUSE": "0.5"})
    name = pods.works()["metadata"]["name"]
    assert pods.service.end(signal.SIGKILL) == -signal.SIGKILL
    ended = [
        "get",
        "pod",
        name,
        "-n",
        pods.namespace,
        "-o",
        "jsonpath={.status.containerStatuses[?(@.name=='train')].state}",
    ]
    time.sleep(12)  # the program may end, report and wait meanwhile
    assert pods.cluster.kubectl(*ended)
    pods.service = pods.house.up()
    assert pods.outcome()["outcome"] == "Deployed"
    assert phases(pods.workers()) == GOOD


def test_a_quota_and_a_credential_are_waited_for(pods: PodHouse) -> None:
    kubectl = pods.cluster.kubectl
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}}
    kubectl("apply", "-n", pods.namespace, "-f", "-", stdin=json.dumps(quota))
    until(
        lambda: pods.cluster.get("resourcequota", "none", "-n", pods.namespace).get("status", {}).get("hard"), "a quota"
    )
    pods.apply()
    row = until(lambda: next((one for one in pods.workers() if one["cause"]), None), "the cause")
    assert (row["phase"], row["cause"]) == ("Pending", "QuotaExceeded")
    assert "exceeded quota" in row["waiting"]
    kubectl("delete", "resourcequota", "none", "-n", pods.namespace)
    assert pods.outcome()["outcome"] == "Deployed"
    assert phases(pods.workers()) == GOOD
