"""The Pods of one job among each other: what earlier attempts say of this one, and which failed one is kept."""

from __future__ import annotations

from typing import Any

from globalmanager.cluster.api import ClusterView
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.names import JOB_LABEL, TYPE_LABEL, UID_LABEL
from globalmanager.runtimes.base import RunPhase
from globalmanager.runtimes.kubernetes.naming import ATTEMPT_LABEL, RANK_LABEL, ROUND_LABEL
from globalmanager.runtimes.kubernetes.pod_state import Pod, status_of

__all__ = ["earlier_failed", "is_newest_failed", "was_short_of_memory_before"]


def was_short_of_memory_before(view: ClusterView, pod: Pod) -> bool:
    """Whether an earlier attempt at the same ended at its memory limit too."""
    own = pod.body["metadata"]["labels"]
    for other in _of_job(view, pod):
        labels = other.body["metadata"]["labels"]
        same = all(labels.get(name) == own.get(name) for name in (ROUND_LABEL, TYPE_LABEL))
        earlier = _number(labels, ATTEMPT_LABEL) < _number(own, ATTEMPT_LABEL)
        if same and earlier and (other.ended or {}).get("reason") == "OOMKilled":
            return True
    return False


def is_newest_failed(view: ClusterView, pod: Pod) -> bool:
    """Whether no worker of the job has failed after this one, as far as Pods are left."""
    return all(_age(one) <= _age(pod) for one in _failed(view, pod))


def earlier_failed(view: ClusterView, pod: Pod) -> list[Pod]:
    """Pods of workers of the job that failed before this one, perhaps rounds ago: nobody else comes back to them."""
    return [one for one in _failed(view, pod) if _age(one) < _age(pod)]


def _failed(view: ClusterView, pod: Pod) -> list[Pod]:
    return [one for one in _of_job(view, pod) if one.is_over and _ended_badly(one)]


def _ended_badly(pod: Pod) -> bool:
    return status_of(pod, lambda _: 0.0).phase in (RunPhase.FAILED, RunPhase.LOST)


def _of_job(view: ClusterView, pod: Pod) -> list[Pod]:
    """Pods of the job's workers; of those that train together, the first one."""
    meta = pod.body["metadata"]
    wanted: dict[str, Any] = {name: meta["labels"].get(name) for name in (JOB_LABEL, UID_LABEL)}
    found = []
    for body in view.all(PODS):
        labels = body["metadata"].get("labels") or {}
        same = all(labels.get(name) == value for name, value in wanted.items())
        first = labels.get(RANK_LABEL, "0") == "0"
        if same and first and body["metadata"].get("namespace") == meta["namespace"] and ATTEMPT_LABEL in labels:
            found.append(Pod(body))
    return found


def _age(pod: Pod) -> tuple[int, str, int]:
    labels = pod.body["metadata"]["labels"]
    # A training comes before the evaluation of its round, and by the alphabet after it.
    kind = "0" if labels.get(TYPE_LABEL) == "train" else "1"
    return _number(labels, ROUND_LABEL), kind, _number(labels, ATTEMPT_LABEL)


def _number(labels: dict[str, Any], name: str) -> int:
    """Labels can be edited by hand; one job's must not stop the look at it."""
    text = str(labels.get(name, ""))
    return int(text) if text.isdecimal() else 0
