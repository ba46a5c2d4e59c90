"""What remains to be done when the service is gone, or is no operator any more: jobs must be deletable without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import JOBS, PODS
from globalmanager.cluster.names import MANAGED_BY as LABEL_VALUE
from globalmanager.cluster.names import MANAGED_BY_LABEL, UID_LABEL
from globalmanager.operator.annotations import FINALIZER, MANAGED_BY
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, NotFoundError, TemporaryError
from sedna.common.types import Value

__all__ = ["Released", "release", "release_held", "wait_for_end"]

ATTEMPT_LABEL: Final = "sedna.io/attempt"
"""Worker Pods have it, edges do not: those go on serving the model that they have."""

_LOOK_S: Final = 1.0
_TRIES: Final = 5


class Released(Value):
    """What was done."""

    jobs: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()


def wait_for_end(api: KubeApi, namespace: str, release_name: str, clock: Clock, seconds: float) -> None:
    """Return when no Pod of the service is left: while one lives, it puts back what is taken off.

    Raises:
        TemporaryError: one is still there after ``seconds``.
    """
    labels = {"app.kubernetes.io/instance": release_name, "app.kubernetes.io/component": "service"}
    until = clock.monotonic() + seconds
    while pods := api.list(PODS, namespace, labels=labels):
        if clock.monotonic() >= until:
            names = ", ".join(pod["metadata"]["name"] for pod in pods)
            raise TemporaryError(f"the service still runs after {seconds:.0f} s: {names}", where=namespace)
        clock.sleep(_LOOK_S)


def release(api: KubeApi, namespaces: Sequence[str], owner: str) -> Released:
    """Take our finalizer and mark off the jobs of this service, and end their worker Pods.

    Args:
        namespaces: where; empty = everywhere.
        owner: ``namespace/release`` of the service; jobs that carry the mark of another one are left alone.
    """
    jobs: list[str] = []
    pods: list[str] = []
    for namespace in namespaces or (None,):
        for job in _jobs(api, namespace):
            meta = job["metadata"]
            if (meta.get("annotations") or {}).get(MANAGED_BY, owner) != owner:
                continue
            pods += _end_workers(api, meta["namespace"], meta["uid"])
            if _let_go(api, meta["namespace"], meta["name"], meta["uid"]):
                jobs.append(f"{meta['namespace']}/{meta['name']}")
    return Released(jobs=tuple(jobs), pods=tuple(pods))


def _jobs(api: KubeApi, namespace: str | None) -> list[Body]:
    try:
        return api.list(JOBS, namespace)
    except NotFoundError:  # the CRD is gone, and every job with it
        return []


def _end_workers(api: KubeApi, namespace: str, uid: str) -> list[str]:
    """Nobody would take what they make, and they may hold a GPU."""
    ended = []
    for pod in api.list(PODS, namespace, labels={MANAGED_BY_LABEL: LABEL_VALUE, UID_LABEL: uid}):
        meta = pod["metadata"]
        if ATTEMPT_LABEL in meta.get("labels", {}) and api.delete(PODS, namespace, meta["name"], uid=meta["uid"]):
            ended.append(f"{namespace}/{meta['name']}")
    return ended


def release_held(api: KubeApi, view: ClusterView, owner: str) -> tuple[str, ...]:
    """Take our finalizer off the jobs of a service that goes on without being their operator.

    Their rounds go on, and so does the mark: another service must not drive the same job.

    Returns:
        Their names, ``namespace/name``.
    """
    released = []
    for body in view.all(JOBS):
        meta = body["metadata"]
        mine = (meta.get("annotations") or {}).get(MANAGED_BY) == owner
        held = mine and FINALIZER in (meta.get("finalizers") or ())
        if held and _let_go(api, meta["namespace"], meta["name"], meta["uid"], keep_mark=True):
            released.append(f"{meta['namespace']}/{meta['name']}")
    return tuple(released)


def _let_go(api: KubeApi, namespace: str, name: str, uid: str, *, keep_mark: bool = False) -> bool:
    """Whether anything was taken off. Others change these lists too: look again when one did."""
    for _ in range(_TRIES):
        body = api.get(JOBS, namespace, name)
        if body is None or body["metadata"]["uid"] != uid:
            return False
        changes = _changes(body, keep_mark=keep_mark)
        if not changes:
            return False
        try:
            api.patch(JOBS, namespace, name, changes)
        except ConflictError:
            continue
        except NotFoundError:
            return False
        return True
    raise TemporaryError(f"job {namespace}/{name} changes all the time", where=name, hint="try again")


def _changes(body: Body, *, keep_mark: bool) -> list[Body]:
    meta = body["metadata"]
    changes: list[Body] = []
    finalizers = meta.get("finalizers") or []
    if FINALIZER in finalizers:
        path = f"/metadata/finalizers/{finalizers.index(FINALIZER)}"
        changes += [{"op": "test", "path": path, "value": FINALIZER}, {"op": "remove", "path": path}]
    mark = (meta.get("annotations") or {}).get(MANAGED_BY)
    if mark is not None and not keep_mark:
        path = "/metadata/annotations/" + MANAGED_BY.replace("/", "~1")
        changes += [{"op": "test", "path": path, "value": mark}, {"op": "remove", "path": path}]
    return changes
