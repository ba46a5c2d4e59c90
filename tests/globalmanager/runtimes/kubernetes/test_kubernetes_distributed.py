"""A training in several Pods: made together, told apart from other attempts, ended together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fixtures_pods import UPSTREAM_TEMPLATE, PodDesk, ended, running, through, waiting
from globalmanager.cluster.api import ClusterUnavailableError, QuotaExceededError
from globalmanager.cluster.kinds import PODS, SERVICES
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerStatus, WorkerWaitsError
from globalmanager.runtimes.kubernetes.distributed import REST_SECONDS, SCHEDULE_SECONDS
from globalmanager.runtimes.kubernetes.door import PodDoor
from globalmanager.runtimes.kubernetes.group_layout import member_name
from sedna.common.errors import AuthError
from sedna.loop.spec import Distributed

THREE = Distributed(workers=3, processes_per_worker=1)
RUNNING = {"phase": "Running", "containerStatuses": [running("lc"), running("train")]}
NO_NODE = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}


def start(desk: PodDesk, **changes: Any) -> WorkerHandle:
    return desk.start(**({"distributed": THREE} | changes))


def pods(desk: PodDesk) -> dict[str, dict[str, Any]]:
    return {pod["metadata"]["labels"]["sedna.io/rank"]: pod for pod in desk.cluster.list(PODS)}


def says(desk: PodDesk, handle: WorkerHandle, statuses: Mapping[str, Any]) -> WorkerStatus:
    for rank, pod in pods(desk).items():
        desk.cluster.set_status(PODS, "default", pod["metadata"]["name"], statuses.get(rank, RUNNING))
    return desk.runtime.observe(handle)


def env(pod: Mapping[str, Any], container: str) -> dict[str, str]:
    spec = pod["spec"]
    every = {one["name"]: one for one in [*spec.get("initContainers", ()), *spec["containers"]]}
    return {one["name"]: one.get("value", "") for one in every[container]["env"]}


def test_three_workers_are_three_pods_behind_a_headless_service(desk: PodDesk) -> None:
    handle = start(desk)
    made = pods(desk)
    first = handle.place["pod"]
    assert [pod["metadata"]["name"] for _, pod in sorted(made.items())] == [first, f"{first}-1", f"{first}-2"]
    assert {(pod["spec"]["hostname"], pod["spec"]["subdomain"]) for pod in made.values()} == {
        ("w-0", first), ("w-1", first), ("w-2", first),
    }  # fmt: skip
    (service,) = desk.cluster.list(SERVICES)
    assert service["metadata"]["name"] == first
    assert (service["spec"]["clusterIP"], service["spec"]["publishNotReadyAddresses"]) == ("None", True)
    selector = service["spec"]["selector"]
    assert all(selector.items() <= pod["metadata"]["labels"].items() for pod in made.values())
    owner = made["0"]["metadata"]["uid"]
    for one in (service, made["1"], made["2"]):
        assert [ref["uid"] for ref in one["metadata"]["ownerReferences"]] == [owner], "with the first one they all go"
    assert made["0"]["metadata"]["ownerReferences"][0]["kind"] == "IncrementalLearningJob"


def test_a_template_finds_what_torchrun_reads_and_what_it_would_set(desk: PodDesk) -> None:
    handle = start(desk)
    first, third = pods(desk)["0"], pods(desk)["2"]
    name = f"w-0.{handle.place['pod']}.default.svc"
    told = env(third, "train")
    assert (told["RANK"], told["WORLD_SIZE"], told["LOCAL_RANK"]) == ("2", "3", "0")
    assert (told["MASTER_ADDR"], told["MASTER_PORT"]) == (name, "29500")
    assert (told["PET_NNODES"], told["PET_NPROC_PER_NODE"]) == ("3", "1")
    assert told["PET_RDZV_ENDPOINT"] == f"{name}:29400"
    assert (told["PET_RDZV_CONF"], env(first, "train")["PET_RDZV_CONF"]) == ("is_host=0", "is_host=1")
    assert told["batch_size"] == "32", "its own stay"
    for container in ("stage-in", "lc"):
        ours = env(third, container)
        assert (ours["SEDNA_RENDEZVOUS"], ours["SEDNA_NODE_RANK"]) == (name, "2")
        assert "RANK" not in ours
    assert "SEDNA_RENDEZVOUS" not in told


def test_with_several_processes_a_pod_a_program_has_to_call_torchrun(desk: PodDesk) -> None:
    start(desk, distributed=Distributed(workers=2, processes_per_worker=4))
    told = env(pods(desk)["1"], "train")
    assert told["PET_NPROC_PER_NODE"] == "4"
    assert "RANK" not in told


def test_a_registered_algorithm_runs_under_torchrun_by_its_own_container(desk: PodDesk) -> None:
    handle = start(desk, template=None)
    told = env(pods(desk)["1"], "train")
    assert told["SEDNA_NODE_ADDRESS"] == f"w-1.{handle.place['pod']}.default.svc"
    assert told["SEDNA_RENDEZVOUS_ID"] == handle.place["pod"]
    assert "PET_NNODES" not in told


@pytest.mark.parametrize("distributed", [None, Distributed(workers=1, processes_per_worker=4)])
def test_one_worker_is_one_pod_as_ever(desk: PodDesk, distributed: Distributed | None) -> None:
    desk.start(distributed=distributed)
    (pod,) = desk.cluster.list(PODS)
    assert "sedna.io/rank" not in pod["metadata"]["labels"]
    assert "hostname" not in pod["spec"]
    assert env(pod, "train").get("PET_NPROC_PER_NODE") == (None if distributed is None else "4")
    assert not desk.cluster.list(SERVICES)


def test_an_evaluation_is_one_pod(desk: PodDesk) -> None:
    desk.start(kind="eval", template=None)
    assert len(desk.cluster.list(PODS)) == 1


def test_the_next_attempt_shares_nothing_with_the_last(desk: PodDesk) -> None:
    first, second = start(desk), start(desk, attempt=2)
    services = {service["metadata"]["name"]: service for service in desk.cluster.list(SERVICES)}
    labels = [pod["metadata"]["labels"] for pod in desk.cluster.list(PODS)]
    for handle in (first, second):
        selector = services[handle.place["pod"]]["spec"]["selector"]
        assert sum(selector.items() <= one.items() for one in labels) == 3


def test_started_twice_or_after_a_crash_in_between_it_is_one_group(desk: PodDesk) -> None:
    failing = [ClusterUnavailableError("down")]

    def fail(verb: str, kind: Any, _namespace: str | None, name: str) -> None:
        if (verb, kind) == ("create", PODS) and name.endswith("-2") and failing:
            raise failing.pop()

    desk.cluster.fail = fail
    with pytest.raises(ClusterUnavailableError):
        start(desk)
    assert len(pods(desk)) == 2
    assert not desk.cluster.list(SERVICES)
    desk.runtime = desk.make_runtime()
    handle = start(desk)
    assert start(desk) == handle
    assert len(pods(desk)) == 3
    assert len(desk.cluster.list(SERVICES)) == 1


def test_a_quota_in_the_middle_waits_and_then_completes(desk: PodDesk) -> None:
    left = [QuotaExceededError("exceeded quota: pods=2")]

    def fail(verb: str, kind: Any, _namespace: str | None, name: str) -> None:
        if (verb, kind) == ("create", PODS) and name.endswith("-2") and left:
            raise left.pop()

    desk.cluster.fail = fail
    with pytest.raises(WorkerWaitsError, match="exceeded quota"):
        start(desk)
    handle = start(desk)
    assert says(desk, handle, {}).phase is RunPhase.RUNNING
    assert len(pods(desk)) == 3


def test_it_runs_while_all_run_and_ends_with_the_first(desk: PodDesk) -> None:
    handle = start(desk)
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)
    done = through(ended("train", 0))
    assert says(desk, handle, {"2": done}).phase is RunPhase.RUNNING, "others may be done before"
    assert says(desk, handle, {"0": done}).phase is RunPhase.SUCCEEDED
    others = [pod for rank, pod in pods(desk).items() if rank != "0"]
    assert all("deletionTimestamp" in pod["metadata"] for pod in others), "nobody waits for them"


@pytest.mark.parametrize(
    ("fault", "cause", "retryable"),
    [
        (through(ended("train", 1), phase="Failed"), "WorkerFailed", False),
        (through(ended("train", 137, "OOMKilled"), phase="Failed"), "OOMKilled", True),
        ({"phase": "Failed", "reason": "Evicted", "message": "low on disk"}, "Evicted", True),
    ],
)
def test_one_that_fails_ends_the_others_and_says_why(
    desk: PodDesk, fault: dict[str, Any], cause: str, *, retryable: bool
) -> None:
    handle = start(desk)
    assert says(desk, handle, {"1": fault}).cause == "Stopping"
    assert all("deletionTimestamp" in pod["metadata"] for rank, pod in pods(desk).items() if rank != "1")
    assert desk.runtime.observe(handle).cause == "Stopping", "their last checkpoint is on its way"
    desk.cluster.remove(PODS, "default", handle.place["pod"])  # what it owns goes with it
    told = desk.runtime.observe(handle)
    assert (told.cause, told.retryable) == (cause, retryable)
    assert told.phase in (RunPhase.FAILED, RunPhase.LOST)
    assert told.reason.startswith("process 1 of 3: ")


def test_one_whose_helper_still_waits_is_judged_by_its_program(desk: PodDesk) -> None:
    handle = start(desk)
    failed = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", 1)]}
    assert says(desk, handle, {"1": failed}).cause == "Stopping", "its helper waits for the end of the first program"


def test_one_that_has_ended_well_before_the_others_is_no_trouble(desk: PodDesk) -> None:
    handle = start(desk)
    done = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", 0)]}
    says(desk, handle, {"2": done})
    desk.clock.advance(3600)
    told = desk.runtime.observe(handle)
    assert (told.phase, told.cause) == (RunPhase.RUNNING, ""), "the time limit counts on"


def test_one_that_is_lost_ends_the_others(desk: PodDesk) -> None:
    handle = start(desk)
    says(desk, handle, {})
    desk.cluster.remove(PODS, "default", f"{handle.place['pod']}-2")
    assert desk.runtime.observe(handle).cause == "Stopping"
    desk.cluster.remove(PODS, "default", handle.place["pod"])  # what it owns goes with it
    told = desk.runtime.observe(handle)
    assert (told.phase, told.cause, told.retryable) == (RunPhase.LOST, "WorkerLost", True)
    assert f"process 2 of 3: Pod default/{handle.place['pod']}-2 is gone" in told.reason


def test_after_a_restart_of_the_service_a_lost_one_is_still_noticed_and_not_replaced(desk: PodDesk) -> None:
    handle = start(desk)
    desk.cluster.remove(PODS, "default", f"{handle.place['pod']}-1")
    desk.runtime = desk.make_runtime()
    assert start(desk) == handle
    assert len(pods(desk)) == 2, "a new one would wait for processes that have gone on"
    assert desk.runtime.observe(handle).cause == "Stopping"


def test_the_first_one_fails_for_all(desk: PodDesk) -> None:
    handle = start(desk)
    told = says(desk, handle, {"0": through(ended("train", 75), phase="Failed")})
    assert (told.phase, told.retryable, told.exit_code) == (RunPhase.FAILED, True, 75)
    assert all("deletionTimestamp" in pod["metadata"] for rank, pod in pods(desk).items() if rank != "0")


def test_what_any_of_them_waits_for_is_told(desk: PodDesk) -> None:
    handle = start(desk)
    stuck = {"phase": "Pending", "containerStatuses": [waiting("train", "ErrImagePull")]}
    assert says(desk, handle, {"2": stuck}).cause == "ImagePullFailed"


def test_half_a_group_on_half_the_nodes_gives_way_and_tries_again(desk: PodDesk) -> None:
    handle = start(desk)
    assert says(desk, handle, {"2": NO_NODE}).cause == "Unschedulable"
    desk.clock.advance(SCHEDULE_SECONDS - 1)
    desk.runtime.observe(handle)
    assert len(pods(desk)) == 3
    desk.clock.advance(2)
    desk.runtime.observe(handle)
    assert not pods(desk)
    for service in desk.cluster.list(SERVICES):  # as the cluster does, with its owner
        desk.cluster.remove(SERVICES, "default", service["metadata"]["name"])
    told = desk.runtime.observe(handle)
    assert (told.phase, told.cause) == (RunPhase.RUNNING, "Unschedulable"), "no attempt is used up"
    desk.clock.advance(REST_SECONDS)
    assert desk.runtime.observe(handle).cause == "Starting"
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)
    assert len(pods(desk)) == 3
    assert len(desk.cluster.list(SERVICES)) == 1


def test_a_group_that_has_no_node_at_all_just_waits(desk: PodDesk) -> None:
    handle = start(desk)
    for _ in range(3):
        assert says(desk, handle, {"0": NO_NODE, "1": NO_NODE, "2": NO_NODE}).cause == "Unschedulable"
        desk.clock.advance(SCHEDULE_SECONDS)
    assert len(pods(desk)) == 3, "it holds nothing that others wait for"


def test_stopped_together_and_forgotten_together(desk: PodDesk) -> None:
    handle = start(desk)
    says(desk, handle, {})
    desk.runtime.stop(handle, 30)
    assert all(pod["metadata"]["deletionGracePeriodSeconds"] == 30 for pod in pods(desk).values())
    again = start(desk, attempt=2, owner_uid=None)
    done = through(ended("train", 0))
    for pod in desk.cluster.list(PODS):
        desk.cluster.set_status(PODS, "default", pod["metadata"]["name"], done)
    assert desk.runtime.observe(again).phase is RunPhase.SUCCEEDED
    desk.runtime.forget(again)
    assert not [pod for pod in desk.cluster.list(PODS) if pod["metadata"]["labels"]["sedna.io/attempt"] == "2"]


def test_every_pod_of_a_group_is_let_in_as_the_worker(desk: PodDesk) -> None:
    handle = start(desk)
    third = pods(desk)["2"]["metadata"]
    desk.cluster.tokens["t"] = ("default", "default", third["name"], third["uid"])
    door = PodDoor(desk.cluster, desk.cluster.view, "sedna")
    assert door.identify("t") == handle
    desk.cluster._view.clear()
    assert door.identify("t") == handle, "a replica that has seen nothing yet asks the API server"
    desk.cluster.patch(PODS, "default", third["name"], [{"op": "remove", "path": "/metadata/ownerReferences"}])
    with pytest.raises(AuthError, match="does not belong to the first one"):
        door.identify("t")


def test_long_names_stay_names_of_dns(desk: PodDesk) -> None:
    leader = "j" * 57 + "-ab2cd"
    made = [member_name(leader, rank) for rank in (1, 63)]
    assert all(len(name) <= 63 for name in made)
    assert len(set(made)) == 2
    assert all(name.endswith(("-ab2cd-1", "-ab2cd-63")) for name in made), "the hash of the attempt stays"


def test_the_template_of_upstream_stays_as_it_is() -> None:
    assert "hostname" not in UPSTREAM_TEMPLATE["spec"], "members are made of copies"
