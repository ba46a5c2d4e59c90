"""What each failure of a Pod looks like, and what it means: waits, tries again, or never again."""

from __future__ import annotations

from typing import Any

import pytest

from fixtures_pods import PodDesk, ended, running, through, waiting
from globalmanager.cluster.api import Body
from globalmanager.cluster.kinds import PODS
from globalmanager.runtimes.base import RunPhase, WorkerStatus
from sedna.loop.spec import Limits


def seen(status: WorkerStatus) -> tuple[RunPhase, str, bool]:
    return status.phase, status.cause, status.retryable


RUNNING = {"phase": "Running", "containerStatuses": [running("lc"), running("train")]}


@pytest.mark.parametrize(
    ("program", "expected", "words"),
    [
        (ended("train", 0), (RunPhase.SUCCEEDED, "", False), ""),
        (ended("train", 3), (RunPhase.FAILED, "WorkerFailed", False), "exit code 3"),
        (ended("train", 75), (RunPhase.FAILED, "WorkerFailed", True), "exit code 75"),
        (ended("train", 139), (RunPhase.FAILED, "WorkerFailed", True), "killed by signal 11"),
        (ended("train", 137, "OOMKilled"), (RunPhase.FAILED, "OOMKilled", True), "its memory limit of 64Mi"),
        (
            ended("train", 128, "StartError", "exec: no such file: train.sh"),
            (RunPhase.FAILED, "ContainerCannotRun", False),
            "no such file: train.sh",
        ),
        (ended("train", 127, "ContainerCannotRun"), (RunPhase.FAILED, "ContainerCannotRun", False), "not be started"),
        (ended("train", 137, "ContainerStatusUnknown"), (RunPhase.LOST, "WorkerLost", True), "does not know"),
    ],
    ids=["good", "permanent", "temporary", "signal", "memory", "no program", "no program either", "unknown"],
)
def test_the_end_of_the_program(desk: PodDesk, program: Body, expected: tuple[Any, ...], words: str) -> None:
    handle = desk.start(limits=Limits(memory_mib=64))
    status = desk.says(handle, **through(program, phase="Failed"))
    assert seen(status) == expected
    assert words in status.reason
    assert status.exit_code == (None if status.phase is RunPhase.LOST else program["state"]["terminated"]["exitCode"])


def test_the_phase_of_a_pod_is_not_believed(desk: PodDesk) -> None:
    handle = desk.start()
    for code in (0, 1):
        going = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", code)]}
        assert seen(desk.says(handle, **going)) == (RunPhase.RUNNING, "StagingOut", False), "results are on their way"
    done = {"phase": "Running", "containerStatuses": [ended("lc", 0), ended("train", 0), running("istio-proxy")]}
    assert desk.says(handle, **done).phase is RunPhase.SUCCEEDED, "a mesh's sidecar ends when it likes"


def test_results_that_do_not_arrive_are_told_in_the_end(desk: PodDesk) -> None:
    handle = desk.start()
    going = {"phase": "Running", "containerStatuses": [running("lc"), ended("train", 0)]}
    assert desk.says(handle, **going).reason == ""
    desk.clock.advance(601)
    status = desk.runtime.observe(handle)
    assert (status.phase, status.cause) == (RunPhase.RUNNING, "StagingOut")
    assert "kubectl logs -c lc" in status.reason


def test_a_short_memory_is_tried_once_more(desk: PodDesk) -> None:
    first = desk.start(limits=Limits(memory_mib=64))
    assert desk.says(first, **through(ended("train", 137, "OOMKilled"), phase="Failed")).retryable
    second = desk.start(attempt=2, limits=Limits(memory_mib=64))
    status = desk.says(second, **through(ended("train", 137, "OOMKilled"), phase="Failed"))
    assert (status.cause, status.retryable) == ("OOMKilled", False)
    assert "as before" in status.reason


def test_a_helper_that_died_is_not_the_programs_fault(desk: PodDesk) -> None:
    handle = desk.start()
    status = desk.says(handle, **through(ended("train", 0), ended("lc", 137, "OOMKilled"), phase="Failed"))
    assert seen(status) == (RunPhase.LOST, "HelperFailed", True)
    assert "OOMKilled" in status.reason
    status = desk.says(handle, **through(ended("train", 2), ended("lc", 143), phase="Failed"))
    assert seen(status) == (RunPhase.FAILED, "WorkerFailed", False), "how the program ended is known all the same"


def test_a_helper_that_never_came_up(desk: PodDesk) -> None:
    handle = desk.start()
    states = [waiting("lc", "ImagePullBackOff"), ended("train", 0)]
    assert desk.says(handle, phase="Running", containerStatuses=states).cause == "StagingOut"
    desk.clock.advance(121)
    assert seen(desk.runtime.observe(handle)) == (RunPhase.LOST, "HelperFailed", True)
    desk.runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionTimestamp"]


def test_it_starts_works_and_is_told_apart(desk: PodDesk) -> None:
    handle = desk.start()
    assert seen(desk.runtime.observe(handle)) == (RunPhase.RUNNING, "Starting", False)
    creating = {"containerStatuses": [waiting("lc", "PodInitializing"), waiting("train", "PodInitializing")]}
    status = desk.says(handle, phase="Pending", **creating)
    assert (status.cause, status.reason) == ("Starting", ""), "a matter of course, and no message"
    assert seen(desk.says(handle, **RUNNING)) == (RunPhase.RUNNING, "", False)


def test_a_pod_that_does_not_start_says_where_to_look(desk: PodDesk) -> None:
    handle = desk.start()
    creating = {"phase": "Pending", "containerStatuses": [waiting("train", "ContainerCreating")]}
    assert desk.says(handle, **creating).cause == "Starting"
    desk.clock.advance(121)
    status = desk.runtime.observe(handle)
    assert seen(status) == (RunPhase.RUNNING, "NotStarted", False)
    assert "kubectl describe" in status.reason


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"])
def test_an_image_that_cannot_be_pulled(desk: PodDesk, reason: str) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Pending", containerStatuses=[waiting("train", reason, "not found", "no/such:1")])
    assert seen(status) == (RunPhase.RUNNING, "ImagePullFailed", False)
    assert "no/such:1" in status.reason
    again = desk.says(
        handle, phase="Pending", containerStatuses=[waiting("train", "ImagePullBackOff", "x", "no/such:1")]
    )
    assert again == status, "in the same words, or each try would be news"
    desk.clock.advance(121)
    status = desk.says(handle, phase="Pending", containerStatuses=[waiting("train", reason, "not found", "no/such:1")])
    assert seen(status) == (RunPhase.FAILED, "ImagePullFailed", True)
    assert "not found" in status.reason
    desk.runtime.stop(handle, 20)
    assert desk.pod(handle)["metadata"]["deletionTimestamp"], "an image that comes later starts nobody's program"


def test_the_image_of_an_init_container_counts_as_well(desk: PodDesk) -> None:
    handle = desk.start()
    init = [waiting("stage-in", "ErrImagePull", "x", "sedna-il:1")]
    status = desk.says(handle, phase="Pending", initContainerStatuses=init)
    assert (status.cause, "'stage-in'" in status.reason) == ("ImagePullFailed", True)


def test_no_image_at_all_is_no_matter_of_time(desk: PodDesk) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Pending", containerStatuses=[waiting("train", "InvalidImageName", "", "A B")])
    assert seen(status) == (RunPhase.FAILED, "InvalidImageName", False)


def test_a_node_is_waited_for_as_long_as_it_takes(desk: PodDesk) -> None:
    handle = desk.start()
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: no gpu"}
    for _ in range(3):
        status = desk.says(handle, phase="Pending", conditions=[condition])
        assert seen(status) == (RunPhase.RUNNING, "Unschedulable", False)
        assert "0/1 nodes: no gpu" in status.reason
        desk.clock.advance(86_400)


@pytest.mark.parametrize("message", ['secret "nope" not found', "couldn't find key PASSWORD in Secret default/s3"])
def test_a_secret_that_the_template_names_is_waited_for(desk: PodDesk, message: str) -> None:
    handle = desk.start()
    for _ in range(2):
        states = [waiting("train", "CreateContainerConfigError", message)]
        status = desk.says(handle, phase="Pending", containerStatuses=states)
        assert seen(status) == (RunPhase.RUNNING, "SecretMissing", False)
        assert message in status.reason
        desk.clock.advance(86_400)


def test_a_root_image_under_run_as_non_root(desk: PodDesk) -> None:
    handle = desk.start()
    message = "container has runAsNonRoot and image will run as root"
    states = [waiting("train", "CreateContainerConfigError", message)]
    status = desk.says(handle, phase="Pending", containerStatuses=states)
    assert seen(status) == (RunPhase.FAILED, "SecurityContextRefused", False)
    assert message in status.reason


def test_a_container_that_cannot_be_made_gets_a_while(desk: PodDesk) -> None:
    handle = desk.start()
    states = [waiting("train", "CreateContainerError", "device busy")]
    assert seen(desk.says(handle, phase="Pending", containerStatuses=states))[0] is RunPhase.RUNNING
    desk.clock.advance(121)
    assert seen(desk.runtime.observe(handle)) == (RunPhase.FAILED, "ContainerCannotRun", False)


@pytest.mark.parametrize(("code", "retryable"), [(2, False), (3, False), (75, True), (137, True)])
def test_inputs_that_could_not_be_brought(desk: PodDesk, code: int, retryable: bool) -> None:
    handle = desk.start()
    desk.cluster.logs["default", handle.place["pod"], "stage-in"] = b"the model is gone\n"
    status = desk.says(
        handle,
        phase="Failed",
        initContainerStatuses=[ended("stage-in", code, message="the model is gone")],
        containerStatuses=[waiting("lc", "PodInitializing"), waiting("train", "PodInitializing")],
    )
    assert seen(status) == (RunPhase.FAILED, "StageInFailed", retryable)
    assert (status.exit_code, status.log_tail) == (code, "the model is gone")
    assert "the model is gone" in status.reason


def test_an_init_container_of_the_user_that_failed(desk: PodDesk) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Failed", initContainerStatuses=[ended("prepare", 1)])
    assert seen(status) == (RunPhase.FAILED, "InitContainerFailed", False)
    assert "'prepare'" in status.reason


def test_evicted_by_its_node_without_a_word_about_containers(desk: PodDesk) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Failed", reason="Evicted", message="Usage of EmptyDir exceeds the limit")
    assert seen(status) == (RunPhase.LOST, "Evicted", True)
    assert "exceeds the limit" in status.reason


@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("The node was low on resource: memory. ", "WorkerLost"),
        ("The node had condition: [DiskPressure]. ", "WorkerLost"),
        ("The node was low on resource: memory. Container train was using 5Gi, which exceeds its request of 1Gi. ",
         "Evicted"),
        (("The node was low on resource: memory. Container train was using 5Gi, request is 0, has larger consumption "
          "of memory. "), "Evicted"),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ", "Evicted"),
        ("", "Evicted"),
    ],
)  # fmt: skip
def test_a_node_that_is_short_costs_no_retry_of_who_kept_to_its_request(
    desk: PodDesk, message: str, cause: str
) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Failed", reason="Evicted", message=message)
    assert seen(status) == (RunPhase.LOST, cause, True)
    assert status.reason.startswith("its Pod was evicted: ")


@pytest.mark.parametrize(
    "states",
    [
        [],
        [waiting("lc", "PodInitializing"), waiting("train", "PodInitializing")],
        [waiting("train", "ContainerCreating")],
    ],
)
def test_failed_and_no_exit_code(desk: PodDesk, states: list[Body]) -> None:
    """Seen on 1.20 of Pods that were deleted while they ran: the node forgets what it knew."""
    handle = desk.start()
    assert seen(desk.says(handle, phase="Failed", containerStatuses=states)) == (RunPhase.LOST, "WorkerLost", True)


@pytest.mark.parametrize("reason", ["OutOfcpu", "OutOfnvidia.com/gpu", "NodeAffinity", "UnexpectedAdmissionError"])
def test_refused_by_the_node_that_it_was_given_to(desk: PodDesk, reason: str) -> None:
    handle = desk.start()
    status = desk.says(handle, phase="Failed", reason=reason, message="Pod was rejected")
    assert seen(status) == (RunPhase.FAILED, "NodeRefused", True)


def test_gone_from_a_view_that_has_seen_everything(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.cluster.remove(PODS, "default", handle.place["pod"])
    status = desk.runtime.observe(handle)
    assert seen(status) == (RunPhase.LOST, "WorkerLost", True)
    assert handle.place["pod"] in status.reason


def test_absence_says_nothing_before_everything_was_listed(desk: PodDesk) -> None:
    desk.cluster.synced = False
    handle = desk.runtime.handle("train-worker-1", desk.spec().order.job)
    assert seen(desk.runtime.observe(handle)) == (RunPhase.RUNNING, "Unknown", False)


def test_a_watch_that_lags_loses_no_worker(desk: PodDesk) -> None:
    desk.cluster.paused = True
    other = desk.make_runtime()
    handle = desk.start()
    desk.cluster._view.clear()
    assert other.observe(handle).phase is RunPhase.RUNNING, "asked for once more before it is called lost"


def test_a_deleted_pod_whose_node_does_not_answer_is_lost_in_the_end(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.runtime.stop(handle, 20)
    assert seen(desk.runtime.observe(handle)) == (RunPhase.RUNNING, "Stopping", False)
    desk.clock.advance(20 + 61)
    assert seen(desk.runtime.observe(handle)) == (RunPhase.LOST, "WorkerLost", True)


def test_killed_together_with_its_helper(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.runtime.stop(handle, 5)
    status = desk.says(handle, **through(ended("train", 137), ended("lc", 137), phase="Failed"))
    assert seen(status) == (RunPhase.LOST, "WorkerLost", True), "no defect of the helper"


def test_ended_by_its_deletion(desk: PodDesk) -> None:
    handle = desk.start()
    desk.says(handle, **RUNNING)
    desk.runtime.stop(handle, 20)
    status = desk.says(handle, **through(ended("train", 137), ended("lc", 0), phase="Failed"))
    assert seen(status) == (RunPhase.FAILED, "WorkerLost", True)
