"""One training in two Pods of a real node: they find each other, make one result, and are lost together."""

from __future__ import annotations

from typing import Any

import pytest

from e2e.kubernetes.pod_house import AGAIN, GOOD, PodHouse, phases, until
from e2e.kubernetes.pod_jobs import PROGRAM, write_job

TWO = {"workers": 2, "processesPerWorker": 1}

MEET = """
import socket
rank, size, address = int(env["RANK"]), int(env["WORLD_SIZE"]), (env["MASTER_ADDR"], int(env["MASTER_PORT"]))
if rank == 0:
    with socket.create_server(("", address[1])) as server:
        server.settimeout(120)
        others = [server.accept()[0] for _ in range(size - 1)]
        told = sorted(one.recv(100).decode() for one in others)
    print("met", told, flush=True)
else:
    for _ in range(240):
        try:
            first = socket.create_connection(address, 1)
            break
        except OSError:
            time.sleep(0.5)
    first.sendall(f"rank {rank} of {size}".encode())
"""
"""What frameworks do by these variables, without one."""


def apply(pods: PodHouse, change: Any) -> None:
    """The job of `write_job` with a training in two Pods."""
    import yaml

    path = write_job(pods.house.folder, pods.namespace, pods.image, env={"STEPS": "12", "PAUSE": "0.5"})
    documents = list(yaml.safe_load_all(path.read_text()))
    documents[2]["spec"]["trainSpec"]["distributed"] = TWO
    change(documents)
    path.write_text(yaml.safe_dump_all(documents))
    pods.house.cli("job", "apply", "-f", str(path))


def meeting(documents: list[dict[str, Any]]) -> None:
    container = documents[2]["spec"]["trainSpec"]["template"]["spec"]["containers"][0]
    begin = PROGRAM.index('if kind == "train"')
    container["command"][2] = f"{PROGRAM[:begin]}\nif kind == 'train':\n    exec({MEET!r})\n{PROGRAM[begin:]}"


def ranks(pods: PodHouse) -> dict[str, str]:
    return {pod["metadata"]["labels"]["sedna.io/rank"]: pod["metadata"]["name"] for pod in pods.pods()}


def test_two_pods_of_a_template_meet_and_make_one_result(pods: PodHouse) -> None:
    apply(pods, meeting)
    made = until(lambda: len(ranks(pods)) == 2 and ranks(pods), "two Pods")
    assert made["1"] == f"{made['0']}-1"
    assert pods.outcome()["outcome"] == "Deployed"
    assert phases(pods.workers()) == GOOD
    assert "met ['rank 1 of 2']" in pods.log("train")
    until(lambda: not pods.pods(), "a round's Pods go with it")
    services = pods.cluster.get("services", "-n", pods.namespace)["items"]
    assert not services, "and what belongs to them"


def test_one_of_two_is_lost_and_both_begin_again_from_the_checkpoint(pods: PodHouse) -> None:
    apply(pods, meeting)
    until(lambda: pods.workers() and (pods.workers()[0]["progress"] or {}).get("iteration", 0) >= 8, "a checkpoint")
    kubectl = pods.cluster.kubectl
    kubectl("delete", "pod", ranks(pods)["1"], "-n", pods.namespace, "--force", "--grace-period=0")
    assert pods.outcome()["outcome"] == "Deployed"
    rows = pods.workers()
    assert phases(rows)[1:] == AGAIN
    assert (rows[0]["phase"], rows[0]["cause"]) == ("Failed", "WorkerLost")
    assert "process 1 of 2" in rows[0]["error"]
    resumed = int(pods.log("train").partition("resumed at step ")[2].split()[0])
    assert resumed >= 6, "not from the beginning"


SLOW_SECONDS = 600
"""PyTorch takes a minute to import on a busy machine, and every step waits for both Pods dozens of times."""

FPN = {
    "onnx": False, "input_channels": 1, "fpn_channels": 8, "head_convs": 1, "input_size": 64, "crop_size": 64,
    "batch_size": 2, "max_iteration": 6, "checkpoint_interval": 2, "warmup_iterations": 2, "bf16": "off",
    "optimizer": "sgd", "device": "cpu",
}  # fmt: skip


@pytest.mark.timeout(900)
def test_the_detector_learns_in_two_pods(torch_pods: PodHouse) -> None:
    from sedna.algorithms.detection.fpn import BaseModel

    fields = {key: FPN[key] for key in ("onnx", "input_channels", "fpn_channels", "head_convs", "input_size")}
    first = torch_pods.house.folder / "first.safetensors"
    BaseModel(**fields, class_names=("board",), device="cpu").save(first)

    def fpn(documents: list[dict[str, Any]]) -> None:
        documents[1]["spec"] = {"url": str(first), "format": "safetensors"}
        spec = documents[2]["spec"]
        spec["trainSpec"].pop("template")
        spec["trainSpec"]["algorithm"] = {"name": "FPN", "parameters": FPN}
        spec["evalSpec"].pop("template")
        spec["trainSpec"]["limits"]["threads"] = 1
        spec["deploySpec"]["gate"] = {"metric": "f1"}

    apply(torch_pods, fpn)
    until(lambda: torch_pods.job["state"]["history"], "the round's end", SLOW_SECONDS)
    assert phases(torch_pods.workers()) == GOOD
    row = torch_pods.workers()[0]
    assert row["progress"]["iteration"] == 6
