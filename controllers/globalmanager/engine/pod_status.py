"""What a helper says of the program beside it, and what the cluster knows of that program."""

from __future__ import annotations

from globalmanager.cluster.api import Body
from globalmanager.cluster.names import EDGE_HELPER
from globalmanager.cluster.pod_trouble import is_ready, trouble_of
from sedna.edge.protocol import EdgeJobStatus

__all__ = ["as_its_pod_says"]


def as_its_pod_says(status: EdgeJobStatus, pod: Body | None, desired: int | None) -> EdgeJobStatus:
    """The status of a job on an edge that is a Pod.

    A helper knows which model lies there, not whether the program beside it runs. While its Pod is not ready no model
    serves; a program that ends again and again refuses the one that it should serve. Our edge server speaks for itself.
    """
    if pod is None or not _has_helper(pod):
        return status
    trouble = trouble_of(pod)
    if trouble is not None and trouble.crashed:
        return status.model_copy(
            update={"model_version": None, "state": "failed", "failed_version": desired, "reason": trouble.text}
        )
    if not is_ready(pod) and status.state == "serving":
        reason = "its Pod is not ready" if trouble is None else trouble.text
        return status.model_copy(update={"model_version": None, "state": "loading", "reason": reason})
    return status


def _has_helper(pod: Body) -> bool:
    containers = (pod.get("spec") or {}).get("containers") or ()
    return any(container.get("name") == EDGE_HELPER for container in containers)
