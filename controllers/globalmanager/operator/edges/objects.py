"""From what a job asks for to its objects: a Deployment or DaemonSet, and a Service. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from globalmanager.cluster.api import Body
from globalmanager.cluster.kinds import DAEMONSETS, DEPLOYMENTS, JOBS, SERVICES, Kind
from globalmanager.cluster.names import INFERENCE, JOB_NAME, object_name
from globalmanager.operator.edges.asked import SERVER_PORT, SPEC_HASH, Asked
from globalmanager.operator.edges.server_pod import server_pod
from globalmanager.operator.edges.template_pod import serving_port, template_pod
from sedna.common.types import JobKey

__all__ = ["EdgeObject", "edge_objects", "every_place"]


@dataclass(frozen=True)
class EdgeObject:
    """An object as it should be. ``replaced``: the parts of its spec that a change of it writes."""

    kind: Kind
    body: Body
    replaced: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])


def edge_objects(asked: Asked) -> tuple[EdgeObject, ...]:
    """Everything that the job asks for, each owned by the job.

    Raises:
        SpecError: it asks for what cannot be.
    """
    found = [_workload(asked)]
    if asked.service is not None:
        found.append(_service(asked))
    return tuple(found)


def every_place(job: str) -> tuple[tuple[Kind, str], ...]:
    """Every object that a job may have had, whatever it asks for now."""
    names = [object_name(job, "edge"), object_name(job, INFERENCE)]
    return (*((kind, name) for kind in (DEPLOYMENTS, DAEMONSETS) for name in names), (SERVICES, names[0]))


def _workload(asked: Asked) -> EdgeObject:
    pod = server_pod(asked) if asked.deploy.template is None else template_pod(asked)
    spec: Body = {"selector": {"matchLabels": asked.selector}, "template": pod, "revisionHistoryLimit": 3}
    if asked.edges.kind == "DaemonSet":
        spec["updateStrategy"] = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
        return _made(asked, DAEMONSETS, asked.workload_name, spec, ("template", "updateStrategy"))
    spec["strategy"] = _strategy(asked, pod["spec"])
    parts = ["template", "strategy"]
    if asked.edges.replicas is not None:
        spec["replicas"] = asked.edges.replicas
        parts.append("replicas")
    return _made(asked, DEPLOYMENTS, asked.workload_name, spec, tuple(parts))


def _strategy(asked: Asked, pod: Body) -> Body:
    if asked.edges.storage.claim is not None:
        return {"type": "Recreate"}  # the new Pod needs the folder of the old one
    ports = [port for container in pod["containers"] for port in container.get("ports") or ()]
    takes_ports = pod.get("hostNetwork") or any(port.get("hostPort") for port in ports if isinstance(port, dict))
    # On its node a new Pod cannot begin before the old one has given its port back.
    rolling = {"maxUnavailable": 1, "maxSurge": 0} if takes_ports else {"maxUnavailable": 0, "maxSurge": 1}
    return {"type": "RollingUpdate", "rollingUpdate": rolling}


def _service(asked: Asked) -> EdgeObject:
    service = asked.service
    assert service is not None, "asked by edge_objects"
    target = SERVER_PORT if asked.deploy.template is None else serving_port(asked)
    port: Body = {"name": "http", "protocol": "TCP", "port": service.port, "targetPort": target}
    if service.node_port is not None and service.type != "ClusterIP":
        port["nodePort"] = service.node_port
    spec: Body = {"type": service.type, "selector": asked.selector, "ports": [port]}
    name = object_name(asked.job.name, "edge")
    made = _made(asked, SERVICES, name, spec, ("type", "selector", "ports"))
    made.body["metadata"]["annotations"] |= service.annotations
    return made


def _made(asked: Asked, kind: Kind, name: str, spec: Body, replaced: tuple[str, ...]) -> EdgeObject:
    digest = hashlib.sha256(json.dumps([spec, asked.labels, _notes(asked, kind)], sort_keys=True).encode())
    body: Body = {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {
            "name": name,
            "namespace": asked.job.namespace,
            "labels": asked.labels,
            "annotations": {SPEC_HASH: digest.hexdigest()[:32], JOB_NAME: asked.job.name},
            "ownerReferences": [owner_reference(asked.job, asked.uid)],
        },
        "spec": spec,
    }
    return EdgeObject(kind, body, replaced)


def _notes(asked: Asked, kind: Kind) -> dict[str, str]:
    return {} if asked.service is None or kind != SERVICES else dict(asked.service.annotations)


def owner_reference(job: JobKey, uid: str) -> Body:
    """The garbage collector deletes what has this when the job is gone."""
    return {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": job.name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
