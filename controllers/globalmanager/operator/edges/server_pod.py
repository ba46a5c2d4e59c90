"""The Pod of our edge server."""

from __future__ import annotations

from typing import Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.names import EDGE_NAME, JOB_NAME
from globalmanager.cluster.our_containers import (
    TOKEN_PATH,
    our_container,
    token_mount,
    token_volume,
    with_pull_secrets,
)
from globalmanager.operator.edges.asked import SERVER_PORT, TEMPLATE_EDGE, Asked

__all__ = ["server_pod"]

_DATA: Final = "/data"
_TMP: Final = "/tmp"  # noqa: S108 (a mount of the Pod's own)
_GRACE_SECONDS: Final = 90
_FLUSH_SECONDS: Final = 60
_DRAIN_SECONDS: Final = 5
_GROUP: Final = 65532


def server_pod(asked: Asked) -> Body:
    """The PodTemplateSpec. Models change inside it: no roll-out of a model restarts a Pod.

    Ready means that a model answers. At its end it is first taken out of the Service, then answers what is under way,
    then hands in the samples that are still here.
    """
    settings, edges = asked.settings, asked.edges
    name = _edge_name(asked)
    spec: Body = {
        "containers": [_container(asked, name)],
        "volumes": [_data_volume(asked), {"name": "tmp", "emptyDir": {}}, token_volume(settings)],
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "automountServiceAccountToken": False,
    }
    if edges.storage.claim is not None:
        # A claim belongs to root at first, and our user is not root.
        spec["securityContext"] = {"fsGroup": _GROUP, "fsGroupChangePolicy": "OnRootMismatch"}
    if settings.worker_service_account is not None:
        spec["serviceAccountName"] = settings.worker_service_account
    if edges.node_selector:
        spec["nodeSelector"] = dict(edges.node_selector)
    if edges.tolerations:
        spec["tolerations"] = [dict(toleration) for toleration in edges.tolerations]
    metadata = {"labels": asked.labels, "annotations": {EDGE_NAME: name, JOB_NAME: asked.job.name}}
    return {"metadata": metadata, "spec": with_pull_secrets(spec, settings)}


def _edge_name(asked: Asked) -> str:
    """Samples are handed in under the name of the edge that kept them: where a folder outlives its Pod, so does it."""
    if asked.edges.storage.host_path is not None:
        return f"{asked.workload_name}-$(NODE_NAME).$(POD_NAMESPACE)"
    if asked.edges.storage.claim is not None:
        return f"{asked.workload_name}.$(POD_NAMESPACE)"
    return TEMPLATE_EDGE


def _container(asked: Asked, name: str) -> Body:
    folder = _DATA
    if asked.edges.storage.host_path is not None or asked.edges.storage.claim is not None:
        # Jobs may share the volume, and two edge servers must not share a folder. It is made by the server itself and
        # not as a subPath, which would belong to root.
        folder = f"{_DATA}/{asked.job.namespace}/{asked.workload_name}"
    command = [
        *("sedna", "edge", "serve", name, "--data", folder, "--url", asked.service_url, "--pod-token", TOKEN_PATH),
        *("--job", str(asked.job), "--host", "0.0.0.0", "--port", str(SERVER_PORT)),  # noqa: S104 (a Pod's own)
        *("--flush-seconds", str(_FLUSH_SECONDS)),
    ]
    if asked.edges.allow_module_from_service:
        command.append("--allow-module-from-service")
    mounts: list[Body] = [{"name": "data", "mountPath": _DATA}, {"name": "tmp", "mountPath": _TMP}, token_mount()]
    made = our_container(
        asked.settings, "edge", command, mounts=mounts, image=asked.edges.image, resources=_resources(asked)
    )
    return made | {
        "ports": [{"name": "http", "containerPort": SERVER_PORT, "protocol": "TCP"}],
        # Until it answers for the first time nobody may end it: a busy node takes its time to start a program.
        "startupProbe": _probe("/v2/health/live", period=1, failures=300),
        "readinessProbe": _probe("/v2/health/ready", period=2, failures=3),
        "livenessProbe": _probe("/v2/health/live", period=10, failures=6),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(_DRAIN_SECONDS)]}}},
    }


def _resources(asked: Asked) -> Body:
    given = asked.edges.resources
    return {"requests": {"cpu": "100m", "memory": "256Mi"}} if given is None else {k: dict(v) for k, v in given.items()}


def _probe(path: str, *, period: int, failures: int) -> Body:
    return {
        "httpGet": {"path": path, "port": SERVER_PORT},
        "periodSeconds": period,
        "timeoutSeconds": 5,  # a model that is being loaded may keep the processor
        "failureThreshold": failures,
    }


def _data_volume(asked: Asked) -> Body:
    storage = asked.edges.storage
    if storage.claim is not None:
        return {"name": "data", "persistentVolumeClaim": {"claimName": storage.claim}}
    if storage.host_path is not None:
        return {"name": "data", "hostPath": {"path": storage.host_path, "type": "DirectoryOrCreate"}}
    return {"name": "data", "emptyDir": {} if storage.size is None else {"sizeLimit": storage.size}}
