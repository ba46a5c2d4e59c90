"""The Pod of an attempt, from its order and the settings: pure functions, nothing is asked.

A registered algorithm is one container of ours that does everything. A template's containers are left alone but for
variables and mounts; before them an init container brings the inputs, and beside them the helper is their local
controller. It is the first container, and the others start when it listens: a report that comes earlier would be lost.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any, Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.kinds import API_GROUP
from globalmanager.cluster.our_containers import with_pull_secrets
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.base import WorkerSpec
from globalmanager.runtimes.kubernetes.containers import (
    PodUser,
    helper_container,
    prepared,
    program_container,
    stage_in_container,
    volumes_of,
)
from globalmanager.runtimes.kubernetes.naming import (
    HELPER,
    PROGRAM_ANNOTATION,
    STAGE_IN,
    labels_of,
    place_of,
)
from globalmanager.runtimes.kubernetes.template_parts import check_parts, foreign, require_foreign_mounts
from sedna.common.errors import SpecError

__all__ = ["DEFAULT_CONTAINER", "worker_pod"]

_SETTING: Final = "kubernetes.worker_template.spec"

DEFAULT_CONTAINER: Final = "kubectl.kubernetes.io/default-container"
"""Which container ``kubectl logs`` and ``exec`` mean; without it they would mean the helper."""

GRACE_SECONDS: Final = 120
"""Between SIGTERM and SIGKILL, where the template says nothing: a large checkpoint has to reach the store."""

_KEEP_NOT: Final = {
    "hostNetwork": "port 9100 of a node can be had once",
    "activeDeadlineSeconds": "it would end the helper too; the limit is limits.timeoutSeconds",
    "restartPolicy": "an attempt is a Pod",
    "ephemeralContainers": "the API server takes none in a new Pod",
}
"""Fields of a template's spec that are not taken over, and why."""

_OWN_VOLUMES = frozenset({"emptyDir", "configMap", "secret", "downwardAPI", "projected", "hostPath"})
"""Volumes whose files nobody's group matters for. Of others the node would change the group of every file."""


def worker_pod(spec: WorkerSpec, settings: KubernetesSettings, credential: Iterable[Body] = ()) -> Body:
    """The Pod of an attempt, ready to be created.

    Args:
        credential: variables of the user's containers with the keys of the job's object store.

    Raises:
        SpecError: the template cannot be a worker.
    """
    order = spec.order
    template = order.template if order.template is not None else settings.worker_template or {}
    where = f"{order.job}: {order.kind}Spec.template"
    meta = _mapping(template.get("metadata"), f"{where}.metadata")
    pod_spec = copy.deepcopy(_mapping(template.get("spec"), f"{where}.spec"))
    for name in _KEEP_NOT:
        pod_spec.pop(name, None)
    if pod_spec.get("terminationGracePeriodSeconds") is None:
        pod_spec["terminationGracePeriodSeconds"] = GRACE_SECONDS
    if order.template is None:
        program = _around_nothing(spec, settings, pod_spec)
    else:
        program = _around_template(spec, settings, pod_spec, list(credential), where)
    pod_spec |= {"restartPolicy": "Never"}
    pod_spec.setdefault("automountServiceAccountToken", False)
    if settings.worker_service_account is not None:
        pod_spec.setdefault("serviceAccountName", settings.worker_service_account)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": place_of(order.worker, order.job)["pod"],
            "namespace": order.job.namespace,
            "labels": {**foreign(_texts(meta, "labels", where)), **labels_of(spec)},
            "annotations": {
                DEFAULT_CONTAINER: program,
                **foreign(_texts(meta, "annotations", where)),
                PROGRAM_ANNOTATION: program,
            },
            **_owner(spec),
        },
        "spec": with_pull_secrets(pod_spec, settings),
    }


def _around_nothing(spec: WorkerSpec, settings: KubernetesSettings, pod_spec: Body) -> str:
    """A registered algorithm; the settings may say more of its Pod, such as nodes and GPUs."""
    check_parts(pod_spec, _SETTING)
    own = volumes_of(settings, spec.order.limits, built_in=True)
    _require_free(_names(own), pod_spec.get("volumes") or (), f"{_SETTING}.volumes")
    require_foreign_mounts(_names(own), pod_spec, _SETTING)
    given = pod_spec.get("containers") or [{}]
    main = program_container(spec.order, settings, given[0])
    pod_spec["containers"] = [main, *given[1:]]
    pod_spec["volumes"] = [*(pod_spec.get("volumes") or ()), *own]
    return str(main["name"])


def _around_template(
    spec: WorkerSpec, settings: KubernetesSettings, pod_spec: Body, credential: list[Body], where: str
) -> str:
    containers = _containers(pod_spec, where)
    check_parts(pod_spec, f"{where}.spec")
    own = volumes_of(settings, spec.order.limits)
    volumes = list(pod_spec.get("volumes") or ())
    _require_free(_names(own), volumes, f"{where}.spec.volumes")
    require_foreign_mounts(_names(own), pod_spec, f"{where}.spec")
    init = list(pod_spec.get("initContainers") or ())
    _require_free({HELPER, STAGE_IN}, [*containers, *init], f"{where}.spec.containers")
    user = PodUser.of(pod_spec, containers[0])
    grace = float(pod_spec["terminationGracePeriodSeconds"])
    helper = helper_container(settings, user, grace)
    stage_in = stage_in_container(settings, user)
    users = [
        prepared(container, spec.order, credential, where=where, is_program=container is containers[0])
        for container in containers
    ]
    if settings.native_sidecars:
        pod_spec["initContainers"] = [*init, stage_in, _as_sidecar(helper)]
        pod_spec["containers"] = users
    else:
        pod_spec["initContainers"] = [*init, stage_in]
        pod_spec["containers"] = [helper, *users]
    pod_spec["volumes"] = [*volumes, *own]
    _set_group(pod_spec, volumes)
    return str(containers[0]["name"])


def _as_sidecar(helper: Body) -> Body:
    """From Kubernetes 1.29 on: started before the others, and ended after them, by the node."""
    hook = helper.pop("lifecycle")["postStart"]
    probe = {**hook, "periodSeconds": 1, "timeoutSeconds": 70, "failureThreshold": 3}
    return {**helper, "restartPolicy": "Always", "startupProbe": probe}


def _set_group(pod_spec: Body, volumes: list[Body]) -> None:
    """A group that all containers are in, so that the helper reads what a program keeps to its group."""
    context = pod_spec["securityContext"] = pod_spec.get("securityContext") or {}
    kinds = {kind for volume in volumes for kind in volume if kind != "name"}
    if "fsGroup" not in context and kinds <= _OWN_VOLUMES:
        context["fsGroup"] = PodUser.DEFAULT


def _containers(pod_spec: Body, where: str) -> list[Body]:
    containers = pod_spec.get("containers")
    if not isinstance(containers, list) or not containers:
        raise SpecError("there is no container", where=where, hint="list one under spec.containers")
    for number, container in enumerate(containers):
        if not isinstance(container, dict) or not container.get("name"):
            raise SpecError("a container has no name", where=f"{where}.spec.containers[{number}]", hint="name: train")
    return containers


def _names(volumes: Iterable[Body]) -> set[str]:
    return {str(volume["name"]) for volume in volumes}


def _require_free(names: set[str], given: Iterable[Any], where: str) -> None:
    for one in given:
        name = one.get("name") if isinstance(one, dict) else None
        if name in names:
            raise SpecError(f"the name {name!r} is ours", where=where, hint="use another name")


def _owner(spec: WorkerSpec) -> Body:
    """Upstream's owner: with the job its Pods go."""
    if spec.owner_uid is None:
        return {}
    reference = {
        "apiVersion": f"{API_GROUP}/v1alpha1",
        "kind": "IncrementalLearningJob",
        "name": spec.order.job.name,
        "uid": spec.owner_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {"ownerReferences": [reference]}


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise SpecError("is no mapping", where=where, hint="a core/v1 PodTemplateSpec")
    return value


def _texts(meta: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    found = _mapping(meta.get(name), f"{where}.metadata.{name}")
    for key, value in found.items():
        if not isinstance(value, str):
            hint = f'quote it: {key}: "{str(value).lower()}"'
            raise SpecError(f"{value!r} is no text", where=f"{where}.metadata.{name}.{key}", hint=hint)
    return found
