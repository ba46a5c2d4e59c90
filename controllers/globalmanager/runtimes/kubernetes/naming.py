"""How the Pod of an attempt is called and labelled, the same for the same attempt."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from globalmanager.cluster.api import Body
from globalmanager.cluster.names import UID_LABEL, job_labels, object_name
from globalmanager.runtimes.base import WorkerHandle, WorkerSpec
from sedna.common.types import JobKey

__all__ = [
    "ATTEMPT_LABEL",
    "HELPER",
    "PROGRAM_ANNOTATION",
    "ROUND_LABEL",
    "STAGE_IN",
    "WORKER_LABEL",
    "is_same_attempt",
    "labels_of",
    "place_of",
    "program_of",
]

WORKER_LABEL: Final = "sedna.io/worker"
ROUND_LABEL: Final = "sedna.io/round"
ATTEMPT_LABEL: Final = "sedna.io/attempt"
PROGRAM_ANNOTATION: Final = "sedna.io/program"
"""Which container decides about the attempt."""

HELPER: Final = "lc"
STAGE_IN: Final = "stage-in"


def place_of(name: str, job: JobKey) -> dict[str, str]:
    """Where the Pod of a worker is: upstream's shape, ``<job>-<train|eval>-<5 characters>``."""
    kind = name.partition("-")[0]
    digest = hashlib.sha256(f"{job} {name}".encode()).digest()
    return {
        "namespace": job.namespace,
        "pod": object_name(job.name, f"{kind}-{base64.b32encode(digest)[:5].decode().lower()}"),
    }


def labels_of(spec: WorkerSpec) -> dict[str, str]:
    """The labels of a worker's Pod; a job that is no custom resource has no uid."""
    order = spec.order
    return {
        **job_labels(order.job.name, spec.owner_uid or "", order.kind),
        WORKER_LABEL: order.worker,
        ROUND_LABEL: str(order.round),
        ATTEMPT_LABEL: str(order.attempt),
    }


def program_of(pod: Body) -> str:
    """Name of the container that decides about the attempt."""
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    return annotations.get(PROGRAM_ANNOTATION, "")


def is_same_attempt(pod: Body, spec: WorkerSpec) -> bool:
    """Whether a Pod that is there was made for this attempt of this job, and by a service like this one."""
    labels: Mapping[str, str] = pod["metadata"].get("labels") or {}
    wanted = labels_of(spec)
    return all(labels.get(name) == wanted[name] for name in (UID_LABEL, WORKER_LABEL, ROUND_LABEL, ATTEMPT_LABEL))


def handle_of(pod: Body) -> WorkerHandle:
    """The worker of a Pod."""
    meta = pod["metadata"]
    return WorkerHandle(name=meta["labels"][WORKER_LABEL], place={"namespace": meta["namespace"], "pod": meta["name"]})
