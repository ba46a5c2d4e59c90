"""Who a Pod is, and how its program is: answered by any replica."""

from __future__ import annotations

import pytest

from fixtures_pods import PodDesk, ended, running
from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import PODS, TOKEN_REVIEWS
from globalmanager.runtimes.base import WorkerHandle
from globalmanager.runtimes.kubernetes.door import PodDoor
from sedna.common.errors import AuthError
from sedna.core.staging import ProgramState


@pytest.fixture
def door(desk: PodDesk) -> PodDoor:
    return PodDoor(desk.cluster, desk.cluster.view, "sedna")


@pytest.fixture
def handle(desk: PodDesk) -> WorkerHandle:
    made = desk.start()
    uid = desk.pod(made)["metadata"]["uid"]
    desk.cluster.tokens["projected"] = ("default", "default", made.place["pod"], uid)
    return made


def test_the_pod_of_an_attempt_is_known(door: PodDoor, handle: WorkerHandle) -> None:
    assert door.identify("projected") == handle


def test_also_before_the_watch_has_seen_it(desk: PodDesk, door: PodDoor, handle: WorkerHandle) -> None:
    desk.cluster._view.clear()
    assert door.identify("projected") == handle


def test_a_token_ends_with_its_pod_although_kubernetes_still_knows_it(
    desk: PodDesk, door: PodDoor, handle: WorkerHandle
) -> None:
    desk.cluster.remove(PODS, "default", handle.place["pod"])
    with pytest.raises(AuthError, match="no worker, or not any more"):
        door.identify("projected")
    desk.start()
    with pytest.raises(AuthError, match="no worker, or not any more"):
        door.identify("projected")


def test_a_pod_that_is_no_worker(desk: PodDesk, door: PodDoor) -> None:
    made = desk.cluster.create(PODS, "default", {"metadata": {"name": "other"}, "spec": {}})
    desk.cluster.tokens["other"] = ("default", "default", "other", made["metadata"]["uid"])
    with pytest.raises(AuthError, match="Pod default/other: this Pod is no worker"):
        door.identify("other")


def test_a_token_of_nobody(door: PodDoor) -> None:
    with pytest.raises(AuthError, match="not valid"):
        door.identify("forged")


def test_an_api_server_that_does_not_answer_is_not_the_pods_fault(
    desk: PodDesk, door: PodDoor, handle: WorkerHandle
) -> None:
    def away(verb: str, kind: object, *_: object) -> None:
        if kind == TOKEN_REVIEWS:
            raise ClusterUnavailableError("away")

    desk.cluster.fail = away
    with pytest.raises(ClusterUnavailableError):
        door.identify("projected")


def test_the_end_of_the_program_is_told_with_its_code(desk: PodDesk, door: PodDoor, handle: WorkerHandle) -> None:
    assert door.program(handle) == ProgramState()
    desk.says(handle, phase="Running", containerStatuses=[running("lc"), running("train")])
    assert door.program(handle) == ProgramState()
    desk.says(handle, phase="Running", containerStatuses=[running("lc"), ended("train", 137, "OOMKilled")])
    assert door.program(handle) == ProgramState(ended=True, exit_code=137)
    assert door.program(WorkerHandle(name="x", place={})) == ProgramState()
