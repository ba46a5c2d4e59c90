"""A training in several Pods: made together, told apart from other attempts, ended together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from fixtures_pods import UPSTREAM_TEMPLATE, PodDesk, ended, running, through, waiting
from globalmanager.cluster.api import ClusterUnavailableError, NamespaceTerminatingError, QuotaExceededError
from globalmanager.cluster.kinds import PODS, SERVICES
from globalmanager.runtimes.base import RunPhase, WorkerHandle, WorkerRefusedError, WorkerStatus, WorkerWaitsError
from globalmanager.runtimes.kubernetes.distributed import REST_SECONDS, SCHEDULE_SECONDS
from globalmanager.runtimes.kubernetes.door import PodDoor
from globalmanager.runtimes.kubernetes.group_layout import member_name
from sedna.common.errors import AuthError, ConflictError, SpecError
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
    with pytest.raises(WorkerWaitsError, match="does not answer"):
        start(desk)
    assert len(pods(desk)) == 2
    assert not desk.cluster.list(SERVICES)
    desk.runtime = desk.make_runtime()
    handle = start(desk)
    assert start(desk) == handle
    assert len(pods(desk)) == 3
    assert len(desk.cluster.list(SERVICES)) == 1


def failing(verb: str, kind: Any, ending: str, error: Exception) -> Any:
    def fail(asked: str, what: Any, _namespace: str | None, name: str) -> None:
        if (asked, what) == (verb, kind) and name.endswith(ending):
            raise error

    return fail


@pytest.mark.parametrize(("kind", "ending"), [(PODS, "-1"), (PODS, "-2"), (SERVICES, "")])
def test_a_quota_that_lets_in_only_some_lets_in_none(desk: PodDesk, kind: Any, ending: str) -> None:
    desk.cluster.fail = failing("create", kind, ending, QuotaExceededError("exceeded quota: pods=2"))
    for _ in range(3):
        with pytest.raises(WorkerWaitsError, match="exceeded quota") as told:
            start(desk)
        assert (told.value.cause, told.value.retry_after) == ("QuotaExceeded", REST_SECONDS)
        assert "not all of its 3 Pods" in str(told.value)
        collect_garbage(desk)
        assert not pods(desk), "the first one must neither work alone nor hold a node"
    desk.cluster.fail = lambda *_: None
    handle = start(desk)
    assert says(desk, handle, {}).phase is RunPhase.RUNNING
    assert len(pods(desk)) == 3


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (NamespaceTerminatingError("because it is being terminated"), "NamespaceTerminating"),
        (AuthError('pods "x" is forbidden: violates PodSecurity', forbidden=True), "PodRefused"),
        (SpecError("spec.containers[0].image: Required value"), "TemplateInvalid"),
    ],
)
@pytest.mark.parametrize(("kind", "ending"), [(PODS, "-2"), (SERVICES, "")])
def test_a_group_that_is_refused_in_the_middle_leaves_nothing(
    desk: PodDesk, kind: Any, ending: str, error: Exception, cause: str
) -> None:
    desk.cluster.fail = failing("create", kind, ending, error)
    with pytest.raises(WorkerRefusedError) as told:
        start(desk)
    assert told.value.cause == cause
    collect_garbage(desk)
    assert not pods(desk)


@pytest.mark.parametrize(("verb", "what"), [("create", "services"), ("get", "services"), ("get", "pods")])
def test_a_right_that_is_missing_for_a_group_is_waited_for(desk: PodDesk, verb: str, what: str) -> None:
    assert desk.cluster.rights is not None
    kind = PODS if what == "pods" else SERVICES
    text = f'{what} is forbidden: User "sedna" cannot {verb} resource "{what}"'
    desk.cluster.fail = failing(verb, kind, "", AuthError(text, forbidden=True))
    with pytest.raises(WorkerWaitsError, match="cannot") as told:
        start(desk)
    assert told.value.cause == "Forbidden"
    collect_garbage(desk)
    assert not pods(desk)


def test_a_first_pod_that_ended_before_the_others_were_there_used_up_no_attempt(desk: PodDesk) -> None:
    """The API server went away in the middle, for longer than the inputs wait for the others' names."""
    desk.cluster.fail = failing("create", PODS, "-1", ClusterUnavailableError("down"))
    with pytest.raises(WorkerWaitsError, match="does not answer"):
        start(desk)
    assert len(pods(desk)) == 1, "nothing can be taken back then"
    says(desk, desk.runtime.handle("train-worker-1", desk.spec().order.job), {"0": through(ended("train", 75))})
    desk.cluster.fail = lambda *_: None
    with pytest.raises(WorkerWaitsError, match="still end"):
        start(desk)
    collect_garbage(desk)
    handle = start(desk)
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)


def test_a_pod_that_goes_with_an_earlier_first_one_is_not_taken_for_a_new_one(desk: PodDesk) -> None:
    handle = start(desk)
    old = pods(desk)["1"]["metadata"]["uid"]
    desk.cluster.delete(PODS, "default", handle.place["pod"], grace_seconds=0)
    desk.cluster.delete(SERVICES, "default", handle.place["pod"])
    with pytest.raises(WorkerWaitsError, match="still end"):
        start(desk)
    collect_garbage(desk)
    start(desk)
    assert pods(desk)["1"]["metadata"]["uid"] != old
    assert len(pods(desk)) == 3


def test_a_first_pod_that_the_watch_still_shows_and_that_is_gone_is_not_built_upon(desk: PodDesk) -> None:
    handle = start(desk)
    desk.cluster.paused = True
    desk.cluster.remove(PODS, "default", handle.place["pod"])
    desk.cluster.paused = False
    collect_garbage(desk)
    assert desk.cluster.view.get(PODS, "default", handle.place["pod"]) is not None
    start(desk)
    owner = pods(desk)["0"]["metadata"]["uid"]
    assert all(pod["metadata"]["ownerReferences"][0]["uid"] == owner for rank, pod in pods(desk).items() if rank != "0")


def test_a_service_of_somebody_else_is_left_alone(desk: PodDesk) -> None:
    handle = desk.runtime.handle("train-worker-1", desk.spec().order.job)
    body = {"metadata": {"name": handle.place["pod"], "labels": {"app": "shop"}}, "spec": {}}
    desk.cluster.create(SERVICES, "default", body)
    with pytest.raises(ConflictError, match="has the name of a training's"):
        start(desk)
    [service] = desk.cluster.list(SERVICES)
    assert service["metadata"]["labels"] == {"app": "shop"}
    assert not pods(desk)


def test_a_service_that_somebody_makes_in_the_middle(desk: PodDesk) -> None:
    """Made by another engine it is the same one; by anybody else it is in the way, and nothing stays."""
    handle = desk.runtime.handle("train-worker-1", desk.spec().order.job)
    body = {"metadata": {"name": handle.place["pod"], "labels": {"app": "shop"}}, "spec": {}}

    def fail(verb: str, kind: Any, _namespace: str | None, name: str) -> None:
        if (verb, kind) == ("create", PODS) and name.endswith("-2"):
            desk.cluster.fail = lambda *_: None
            desk.cluster.create(SERVICES, "default", body)

    desk.cluster.fail = fail
    with pytest.raises(ConflictError, match="has the name of a training's"):
        start(desk)
    collect_garbage(desk)
    assert not pods(desk)


def test_it_runs_while_all_run_and_ends_with_the_first(desk: PodDesk) -> None:
    handle = start(desk)
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)
    done = through(ended("train", 0))
    assert says(desk, handle, {"2": done}).phase is RunPhase.RUNNING, "others may be done before"
    assert says(desk, handle, {"0": done}).phase is RunPhase.SUCCEEDED
    desk.runtime.stop(handle, 30)
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
    desk.cluster.logs["default", f"{handle.place['pod']}-1", "train"] = b"said before\n"
    for runtime in (desk.runtime, desk.make_runtime()):
        desk.runtime = runtime
        told = says(desk, handle, {"1": fault})
        assert (told.phase, told.cause) == (RunPhase.RUNNING, "Stopping")
        assert told.ends_as is not None, "told until it is recorded, also after a restart of the service"
        assert (told.ends_as.cause, told.ends_as.retryable) == (cause, retryable)
        assert told.ends_as.phase in (RunPhase.FAILED, RunPhase.LOST)
        assert told.ends_as.reason.startswith("process 1 of 3: ")
        assert told.ends_as.log_tail == ("" if cause == "Evicted" else "said before")
        assert not any("deletionTimestamp" in pod["metadata"] for pod in pods(desk).values()), "a look ends nobody"
    desk.runtime.stop(handle, 30)
    assert all("deletionTimestamp" in pod["metadata"] for rank, pod in pods(desk).items() if rank != "1")
    assert "deletionTimestamp" not in pods(desk)["1"]["metadata"], "what has ended holds nothing, and tells how"
    told = desk.runtime.observe(handle)
    assert (told.cause, told.ends_as) == ("Stopping", None), "their last checkpoint is on its way"
    desk.cluster.remove(PODS, "default", handle.place["pod"])  # what it owns goes with it
    assert desk.runtime.observe(handle).phase is RunPhase.LOST, "the engine has recorded why before"


def test_results_of_the_first_one_are_brought_home_whatever_becomes_of_the_others(desk: PodDesk) -> None:
    handle = start(desk)
    done = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", 0)]}
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "low on disk"}
    told = says(desk, handle, {"0": done, "1": evicted})
    assert (told.phase, told.cause, told.ends_as) == (RunPhase.RUNNING, "StagingOut", None)
    assert says(desk, handle, {"0": through(ended("train", 0)), "1": evicted}).phase is RunPhase.SUCCEEDED


def test_whose_end_is_no_consequence_of_anothers_is_told(desk: PodDesk) -> None:
    """A process that loses another one often ends a moment later, and is often seen to do so first."""
    handle = start(desk)
    broken = through(ended("train", 1, message="connection closed by peer"), phase="Failed")
    evicted = {"phase": "Failed", "reason": "Evicted", "message": "low on disk"}
    told = says(desk, handle, {"1": broken, "2": evicted}).ends_as
    assert told is not None
    assert (told.cause, told.retryable, told.reason.startswith("process 2 of 3")) == ("Evicted", True, True)
    told = says(desk, handle, {"0": broken, "1": broken, "2": evicted})
    assert (told.phase, told.cause, told.retryable) == (RunPhase.LOST, "Evicted", True)
    killed = through(ended("train", 134), phase="Failed")
    told = says(desk, handle, {"0": broken, "1": killed, "2": broken})
    assert (told.cause, told.retryable) == ("WorkerFailed", False), "a signal may be what the first one's end has done"


def test_one_whose_helper_still_waits_is_judged_by_its_program(desk: PodDesk) -> None:
    handle = start(desk)
    failed = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", 1)]}
    assert says(desk, handle, {"1": failed}).ends_as is not None, "its helper waits for the end of the first program"


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
    told = desk.runtime.observe(handle).ends_as
    assert told is not None
    assert (told.phase, told.cause, told.retryable) == (RunPhase.LOST, "WorkerLost", True)
    assert f"process 2 of 3: Pod default/{handle.place['pod']}-2 is gone" in told.reason


def test_one_that_the_watch_does_not_show_yet_is_asked_for_before_it_is_lost(desk: PodDesk) -> None:
    handle = start(desk)
    says(desk, handle, {})
    second = f"{handle.place['pod']}-1"
    desk.cluster._view.pop(("pods", "default", second))
    desk.cluster.fail = failing("get", PODS, second, ClusterUnavailableError("down"))
    assert desk.runtime.observe(handle) == WorkerStatus(phase=RunPhase.RUNNING), "no answer is not gone"
    desk.cluster.fail = lambda *_: None
    desk.clock.advance(11)
    assert desk.runtime.observe(handle) == WorkerStatus(phase=RunPhase.RUNNING)
    assert desk.cluster.view.get(PODS, "default", second) is not None


def test_after_a_restart_of_the_service_a_lost_one_is_still_noticed_and_not_replaced(desk: PodDesk) -> None:
    handle = start(desk)
    desk.cluster.remove(PODS, "default", f"{handle.place['pod']}-1")
    desk.runtime = desk.make_runtime()
    assert start(desk) == handle
    assert len(pods(desk)) == 2, "a new one would wait for processes that have gone on"
    assert desk.runtime.observe(handle).ends_as is not None


def test_the_first_one_fails_for_all(desk: PodDesk) -> None:
    handle = start(desk)
    told = says(desk, handle, {"0": through(ended("train", 75), phase="Failed")})
    assert (told.phase, told.retryable, told.exit_code) == (RunPhase.FAILED, True, 75)
    desk.runtime.stop(handle, 30)
    assert all("deletionTimestamp" in pod["metadata"] for rank, pod in pods(desk).items() if rank != "0")


def test_what_any_of_them_waits_for_is_told(desk: PodDesk) -> None:
    handle = start(desk)
    stuck = {"phase": "Pending", "containerStatuses": [waiting("train", "ErrImagePull")]}
    assert says(desk, handle, {"2": stuck}).cause == "ImagePullFailed"


def give_way(desk: PodDesk) -> WorkerHandle:
    """Until the engine is told to start it again."""
    handle = start(desk)
    assert says(desk, handle, {"2": NO_NODE}).cause == "Unschedulable"
    desk.clock.advance(SCHEDULE_SECONDS - 1)
    assert not desk.runtime.observe(handle).gives_way
    desk.clock.advance(2)
    told = desk.runtime.observe(handle)
    assert (told.phase, told.cause, told.gives_way) == (RunPhase.RUNNING, "Unschedulable", True)
    assert len(pods(desk)) == 3, "a look takes nothing away"
    return handle


def collect_garbage(desk: PodDesk) -> None:
    """As the cluster does, once the owner is gone."""
    there = {pod["metadata"]["uid"] for pod in desk.cluster.list(PODS)}
    for kind in (PODS, SERVICES):
        for one in desk.cluster.list(kind):
            owners = [ref["uid"] for ref in one["metadata"].get("ownerReferences", ()) if ref["kind"] == "Pod"]
            if owners and not there & set(owners):
                desk.cluster.remove(kind, "default", one["metadata"]["name"])


def test_half_a_group_on_half_the_nodes_gives_way_and_tries_again(desk: PodDesk) -> None:
    handle = give_way(desk)
    with pytest.raises(WorkerWaitsError, match="found no nodes together") as told:
        start(desk)
    assert (told.value.cause, told.value.retry_after) == ("Unschedulable", REST_SECONDS)
    assert not pods(desk)
    desk.clock.advance(REST_SECONDS - 1)
    with pytest.raises(WorkerWaitsError):
        start(desk)
    desk.clock.advance(2)
    with pytest.raises(WorkerWaitsError, match="still end"):
        start(desk)  # a Service of the Pods before would go with them, and the new ones have none
    collect_garbage(desk)
    start(desk)
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)
    assert len(pods(desk)) == 3
    assert len(desk.cluster.list(SERVICES)) == 1


def test_a_service_that_forgets_that_a_group_rests_starts_it_at_once(desk: PodDesk) -> None:
    handle = give_way(desk)
    with pytest.raises(WorkerWaitsError):
        start(desk)
    collect_garbage(desk)
    desk.runtime = desk.make_runtime()
    assert start(desk) == handle
    assert len(pods(desk)) == 3


def test_a_group_that_found_its_nodes_before_it_gave_way_goes_on(desk: PodDesk) -> None:
    handle = give_way(desk)
    assert says(desk, handle, {}) == WorkerStatus(phase=RunPhase.RUNNING)
    assert start(desk) == handle
    assert len(pods(desk)) == 3


def test_what_rests_and_is_not_wanted_any_more_does_not_come_back(desk: PodDesk) -> None:
    handle = give_way(desk)
    with pytest.raises(WorkerWaitsError):
        start(desk)
    desk.runtime.stop(handle, 30)
    desk.clock.advance(10 * REST_SECONDS)
    assert desk.runtime.observe(handle).phase is RunPhase.LOST
    assert not pods(desk)


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
