"""How far the Pods of a job's edges are, as the status of its workload and their own say it."""

from __future__ import annotations

from collections.abc import Sequence

from globalmanager.cluster.api import Body, ClusterView
from globalmanager.cluster.kinds import DAEMONSETS, PODS, Kind
from globalmanager.cluster.names import INFERENCE, is_of_job
from globalmanager.cluster.pod_trouble import trouble_of
from globalmanager.operator.edges.asked import Asked
from sedna.common.types import Value

__all__ = ["EdgesRollout", "rollout_of"]


class EdgesRollout(Value):
    """``reason`` is one CamelCase word: EdgesReady, EdgesStarting, EdgesFailing or WaitingForModel."""

    wanted: int = 0
    ready: int = 0
    reason: str
    message: str

    @property
    def settled(self) -> bool:
        """Whether every wanted Pod is there and ready."""
        return self.reason == "EdgesReady"

    def with_words_of(self, troubles: Sequence[str]) -> EdgesRollout:
        """With the first of what edges themselves say is in their way, if they are not ready."""
        if self.reason != "EdgesStarting" or not troubles:
            return self
        return self.model_copy(update={"reason": "EdgesFailing", "message": f"{self.message}; {troubles[0]}"})


def rollout_of(view: ClusterView, asked: Asked, kind: Kind, live: Body) -> EdgesRollout:
    """The state of the workload ``live``, with what keeps its Pods from being ready."""
    status = live.get("status") or {}
    if kind == DAEMONSETS:
        wanted, updated = int(status.get("desiredNumberScheduled", 0)), int(status.get("updatedNumberScheduled", 0))
        ready = int(status.get("numberReady", 0))
    else:
        wanted, updated = int((live.get("spec") or {}).get("replicas", 1)), int(status.get("updatedReplicas", 0))
        ready = int(status.get("readyReplicas", 0))
    seen = int(status.get("observedGeneration", 0)) >= int(live["metadata"].get("generation", 0))
    name = f"{kind.kind} {live['metadata']['name']}"
    if seen and updated >= wanted and ready >= wanted:
        return EdgesRollout(wanted=wanted, ready=ready, reason="EdgesReady", message=f"{name}: {ready} edges are ready")
    trouble = _refusal(status) or _first_trouble(view, asked)
    message = f"{name}: {min(ready, wanted)} of {wanted} edges are ready"
    if trouble:
        return EdgesRollout(wanted=wanted, ready=ready, reason="EdgesFailing", message=f"{message}; {trouble}")
    return EdgesRollout(wanted=wanted, ready=ready, reason="EdgesStarting", message=message)


def _refusal(status: Body) -> str:
    """Why no Pod can be made: quota, admission. It stands in the workload and nowhere else."""
    for condition in status.get("conditions") or ():
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message", condition.get("reason", "")))
    return ""


def _first_trouble(view: ClusterView, asked: Asked) -> str:
    for pod in view.all(PODS):
        meta = pod["metadata"]
        if meta.get("namespace") == asked.job.namespace and is_of_job(meta.get("labels") or {}, asked.uid, INFERENCE):
            trouble = trouble_of(pod)
            if trouble is not None:
                return f"Pod {meta['name']}: {trouble.text}"
    return ""
