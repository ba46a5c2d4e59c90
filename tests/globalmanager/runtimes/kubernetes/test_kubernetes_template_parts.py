"""What a template may not say: our volumes, our labels, parts that are no Pod's."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from fixtures_pods import SETTINGS, UPSTREAM_TEMPLATE, PodDesk, running
from globalmanager.cluster.kinds import PODS
from globalmanager.runtimes.base import RunPhase, WorkerStatus
from globalmanager.runtimes.kubernetes.door import PodDoor
from globalmanager.runtimes.kubernetes.layout import worker_pod
from sedna.common.errors import SpecError
from sedna.loop.spec import Distributed

RUNNING = {"phase": "Running", "containerStatuses": [running("lc"), running("train")]}


def template(**spec: Any) -> dict[str, Any]:
    changed = copy.deepcopy(UPSTREAM_TEMPLATE)
    changed["spec"] |= spec
    return changed


def with_mount(volume: str) -> list[dict[str, Any]]:
    return [{"name": "train", "image": "i", "volumeMounts": [{"name": volume, "mountPath": "/mine"}]}]


@pytest.mark.parametrize("volume", ["sedna-token", "sedna-work", "sedna-tmp"])
@pytest.mark.parametrize("kind", ["containers", "initContainers"])
def test_our_volumes_are_not_mounted(desk: PodDesk, kind: str, volume: str) -> None:
    given = template(**{kind: with_mount(volume)})
    with pytest.raises(SpecError, match=f"the volume '{volume}' is ours") as told:
        worker_pod(desk.spec(template=given), SETTINGS)
    assert f"trainSpec.template.spec.{kind}: container train" in told.value.where.replace("train-worker", "")


def test_its_own_volumes_are_mounted(desk: PodDesk) -> None:
    given = template(containers=with_mount("data"), volumes=[{"name": "data", "emptyDir": {}}])
    made = worker_pod(desk.spec(template=given), SETTINGS)
    assert made["spec"]["containers"][1]["volumeMounts"][0] == {"name": "data", "mountPath": "/mine"}


@pytest.mark.parametrize("volume", ["sedna-token", "sedna-work", "sedna-shm"])
def test_the_template_of_the_settings_leaves_them_alone_as_well(desk: PodDesk, volume: str) -> None:
    for spec in ({"containers": with_mount(volume)}, {"volumes": [{"name": volume, "emptyDir": {}}]}):
        settings = SETTINGS.model_copy(update={"worker_template": {"spec": spec}})
        with pytest.raises(SpecError, match=f"'{volume}' is ours") as told:
            worker_pod(desk.spec(template=None), settings)
        assert "kubernetes.worker_template.spec" in told.value.where


OURS = {
    "sedna.io/rank": "1",
    "sedna.io/worker": "w",
    "sedna.io/round": "x",
    "sedna.io/attempt": "x",
    "incrementallearningjob.sedna.io/name": "other",
    "incrementallearningjob.sedna.io/uid": "other",
    "incrementallearningjob.sedna.io/worker-type": "inference",
    "sedna.io/job": "other",
}


def test_a_template_that_was_copied_from_a_pod_is_the_worker_that_it_is_now(desk: PodDesk) -> None:
    given = template()
    given["metadata"] = {
        "labels": {**OURS, "line": "3", "not-sedna.io/rank": "4", "sedna.io": "5"},
        "annotations": {"sedna.io/program": "lc", "sedna.io/group-size": "3", "sedna.io/edge-name": "e", "team": "v"},
    }
    handle = desk.start(template=given)
    meta = desk.pod(handle)["metadata"]
    plain = desk.start(attempt=2)
    assert set(meta["labels"]) - {"not-sedna.io/rank", "sedna.io"} == set(desk.pod(plain)["metadata"]["labels"])
    assert (meta["labels"]["sedna.io/worker"], meta["labels"]["line"]) == ("train-worker-1", "3")
    assert meta["annotations"] == {
        "kubectl.kubernetes.io/default-container": "train", "sedna.io/program": "train", "team": "v",
    }  # fmt: skip
    assert desk.says(handle, **RUNNING) == WorkerStatus(phase=RunPhase.RUNNING), "no group of three"
    desk.cluster.tokens["t"] = ("default", "default", meta["name"], meta["uid"])
    assert PodDoor(desk.cluster, desk.cluster.view, "sedna").identify("t") == handle


def test_ranks_are_ours_in_a_group_too(desk: PodDesk) -> None:
    given = template()
    given["metadata"] = {"labels": {"sedna.io/rank": "7"}, "annotations": {"sedna.io/group-size": "9"}}
    desk.start(template=given, distributed=Distributed(workers=2, processes_per_worker=1))
    made = [pod["metadata"] for pod in desk.cluster.list(PODS)]
    assert sorted(meta["labels"]["sedna.io/rank"] for meta in made) == ["0", "1"]
    assert {meta["annotations"]["sedna.io/group-size"] for meta in made} == {"2"}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"volumes": {"data": {}}}, "volumes"),
        ({"volumes": ["data"]}, "volumes"),
        ({"initContainers": ["prepare"]}, "initContainers"),
        ({"securityContext": "root"}, "securityContext"),
        ({"imagePullSecrets": ["key"]}, "imagePullSecrets"),
        ({"terminationGracePeriodSeconds": "soon"}, "terminationGracePeriodSeconds"),
        ({"containers": [{"name": "train", "volumeMounts": {"a": "/b"}}]}, "volumeMounts"),
        ({"containers": [{"name": "train", "env": {"A": "b"}}]}, "env"),
        ({"containers": [{"name": "train", "resources": {"limits": "all"}}]}, "resources"),
    ],
)
def test_what_is_no_pods_is_said_and_is_no_defect_of_ours(desk: PodDesk, spec: dict[str, Any], said: str) -> None:
    """Over REST no cluster's schema has looked at it."""
    with pytest.raises(SpecError, match=said) as told:
        worker_pod(desk.spec(template=template(**spec)), SETTINGS)
    assert "is no Pod's" in str(told.value)


def test_what_is_said_to_be_nothing_is_not_said(desk: PodDesk) -> None:
    nothing = ("volumes", "initContainers", "securityContext", "imagePullSecrets", "terminationGracePeriodSeconds")
    empty = ("env", "volumeMounts", "resources", "securityContext")
    containers = [{"name": "train", "image": "img", "args": ["train.py"], **dict.fromkeys(empty)}]
    made = worker_pod(desk.spec(template=template(**dict.fromkeys(nothing), containers=containers)), SETTINGS)
    assert made["spec"]["terminationGracePeriodSeconds"] == 120
    assert made["spec"]["securityContext"] == {"fsGroup": 10001}
