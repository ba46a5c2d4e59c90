"""One training in several Pods: which there are, and when they count as one worker.

The first Pod is the worker's own, with rank 0; the others are named after it, belong to it and go with it. A headless
Service gives them names before they are ready. They start together or not at all, and end together: one that is lost
ends the attempt, and the next one goes on from the checkpoint. Nothing of one attempt can join another: names, the
Service's selector and the identity of the rendezvous are the attempt's own.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import PODS, SERVICES
from globalmanager.runtimes.base import RunPhase, WorkerSpec, WorkerStatus
from globalmanager.runtimes.kubernetes.group_layout import (
    SIZE_ANNOTATION,
    as_member,
    member_name,
    service_of,
    workers_of,
)
from globalmanager.runtimes.kubernetes.naming import ATTEMPT_LABEL, RANK_LABEL, WORKER_LABEL
from globalmanager.runtimes.kubernetes.pod_state import Pod, as_the_program_ended, status_of
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, SednaError
from sedna.common.log import LOGGER

__all__ = ["PodGroups"]

SCHEDULE_SECONDS: Final = 120.0
"""How long Pods that have a node wait for one that has none, before all give way."""

END_SECONDS: Final = 30.0
"""Grace of those that are left: without the others they get no further, and checkpoints are brought home all along."""

REST_SECONDS: Final = 60.0
"""Before they try again: whoever waited for the same nodes comes first."""

Create = Callable[[Body], Body]


@dataclass
class _Resting:
    """Pods that gave way, to be made again."""

    until: float
    bodies: list[Body]


class PodGroups:
    """The Pods of a worker beside its first one.

    What matters is in the cluster: the Service is made last, so that with it all Pods have been there, and one that is
    missing is lost. Kept here are only why a group is ended, and groups that wait for nodes; a service that forgets
    them by a restart makes a new attempt of them.
    """

    def __init__(self, api: KubeApi, view: ClusterView, clock: Clock) -> None:
        self._api = api
        self._view = view
        self._clock = clock
        self._verdicts: dict[str, WorkerStatus] = {}
        self._resting: dict[str, _Resting] = {}
        self._held_since: dict[str, float] = {}
        self._completed: set[str] = set()
        self._lock = threading.Lock()

    def complete(self, spec: WorkerSpec, leader: Body, body: Body, create: Create) -> None:
        """Make what is missing beside the first Pod, unless all has been there before.

        Args:
            leader: the Pod as it is in the cluster.
            body: as it was to be made, for the others.
            create: makes a Pod, or finds it; raises as `PodRuntime.start`.
        """
        size = workers_of(spec)
        namespace, name = leader["metadata"]["namespace"], leader["metadata"]["name"]
        if size == 1 or self.is_complete(leader):
            return
        owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": leader["metadata"]["uid"]}
        for rank in range(1, size):
            member = as_member(body, spec, rank)
            member["metadata"]["ownerReferences"] = [owner]
            self._view.seen(PODS, create(member))
        try:
            self._api.create(SERVICES, namespace, service_of(leader, owner))
        except ConflictError:  # made by another engine meanwhile: the same one
            LOGGER.info("Service %s/%s was there", namespace, name)

    def is_complete(self, leader: Body) -> bool:
        """Whether all Pods have been there: the Service was made after them.

        Raises:
            ClusterUnavailableError: the API server does not answer.
        """
        meta = leader["metadata"]
        with self._lock:
            if meta["uid"] in self._completed:
                return True
        found = self._api.get(SERVICES, meta["namespace"], meta["name"])
        if found is None or meta["uid"] not in {one.get("uid") for one in found["metadata"].get("ownerReferences", ())}:
            return False  # one of an earlier Pod of this name is about to go with that
        with self._lock:
            self._completed.add(meta["uid"])
        return True

    def status(self, leader: Pod, own: WorkerStatus, waited: Callable[[Pod, str], float]) -> WorkerStatus:
        """What a worker of several Pods is at, from the state of its first one. Never waits, but deletes.

        A group that has failed is over when all of it is gone, so that nobody writes checkpoints any more.
        """
        size = int((leader.body["metadata"].get("annotations") or {}).get(SIZE_ANNOTATION, 1))
        if size == 1:
            return own
        name = leader.body["metadata"]["labels"][WORKER_LABEL]
        others = self.members(leader)
        if own.phase is not RunPhase.RUNNING:
            self.delete(others, END_SECONDS)
            return own if own.phase is RunPhase.SUCCEEDED else self._verdict(name) or own
        if leader.is_leaving or self._verdict(name) is not None:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="Stopping")
        if not self._was_complete(leader):
            return own if own.cause else WorkerStatus(phase=RunPhase.RUNNING, cause="Starting")
        return self._together(leader, own, others, size, waited)

    def _together(
        self,
        leader: Pod,
        own: WorkerStatus,
        others: Mapping[int, Pod],
        size: int,
        waited: Callable[[Pod, str], float],
    ) -> WorkerStatus:
        found = {rank: _of_member(pod, waited) for rank, pod in others.items()}
        for rank in range(1, size):
            told = found.get(rank) or _gone(leader, rank)
            if told.phase in (RunPhase.FAILED, RunPhase.LOST):
                reason = f"process {rank} of {size}: {told.reason}"
                self._end(leader, others, told.model_copy(update={"reason": reason}))
                return WorkerStatus(phase=RunPhase.RUNNING, cause="Stopping")
        everyone = [own, *(one for one in found.values() if one.phase is RunPhase.RUNNING)]
        homeless = next((one for one in everyone if one.cause == "Unschedulable"), None)
        if homeless is None:
            self._held_since.pop(leader.where, None)
            return next((one for one in everyone if one.cause and one.reason), own)
        if any(one.cause != "Unschedulable" for one in everyone) and self._has_held(leader):
            self._give_way(leader, others)
        return homeless

    def absent(self, worker: str, gone: WorkerStatus, namespace: str, create: Create) -> WorkerStatus:
        """What a worker is whose first Pod is not there.

        Args:
            gone: what it would be without its group.
            create: as for `complete`.
        """
        resting = self._resting.get(worker)
        if resting is not None:
            return self._after_a_rest(worker, resting, namespace, create)
        with self._lock:
            verdict = self._verdicts.get(worker)
        if gone.phase is RunPhase.RUNNING or verdict is None:
            return gone
        return verdict.model_copy(update={"log_tail": verdict.log_tail or gone.log_tail})

    def cancel(self, worker: str) -> None:
        """Nobody wants the Pods of this worker any more: what gave way does not come back."""
        self._resting.pop(worker, None)

    def stop(self, leader: Pod, grace_seconds: float) -> None:
        """End the others with the first one, which the caller ends."""
        self.delete(self.members(leader), grace_seconds)

    def forget(self, worker: str, leader: Pod | None) -> None:
        """Delete what is left of the others, and what is known of them."""
        if leader is not None:
            self.delete(self.members(leader), 0)
        with self._lock:
            self._verdicts.pop(worker, None)
            self._resting.pop(worker, None)
            if leader is not None:
                self._completed.discard(leader.body["metadata"]["uid"])

    def members(self, leader: Pod) -> dict[int, Pod]:
        """The Pods of the other ranks that are there."""
        meta = leader.body["metadata"]
        wanted = {name: meta["labels"].get(name) for name in (WORKER_LABEL, ATTEMPT_LABEL)}
        found = {}
        for body in self._view.all(PODS):
            labels = body["metadata"].get("labels") or {}
            same = all(labels.get(name) == value for name, value in wanted.items())
            owners = {one.get("uid") for one in body["metadata"].get("ownerReferences") or ()}
            if same and body["metadata"]["namespace"] == meta["namespace"] and meta["uid"] in owners:
                found[int(labels.get(RANK_LABEL, 0))] = Pod(body)
        return found

    def delete(self, pods: Mapping[int, Pod], grace_seconds: float) -> None:
        """Ask these to end; what cannot be deleted now goes with the first Pod."""
        for pod in pods.values():
            if pod.is_leaving:
                continue
            meta = pod.body["metadata"]
            try:
                self._api.delete(PODS, meta["namespace"], meta["name"], grace_seconds=grace_seconds, uid=meta["uid"])
            except SednaError as error:
                LOGGER.warning("%s is still there: %s", pod.where, error)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _verdict(self, worker: str) -> WorkerStatus | None:
        with self._lock:
            return self._verdicts.get(worker)

    def _was_complete(self, leader: Pod) -> bool:
        try:
            return self.is_complete(leader.body)
        except SednaError:  # nothing is known of the others then: neither that they are there nor that one is lost
            return False

    def _end(self, leader: Pod, others: Mapping[int, Pod], why: WorkerStatus) -> None:
        LOGGER.warning("%s: %s; the others end too", leader.where, why.reason)
        with self._lock:
            self._verdicts[leader.body["metadata"]["labels"][WORKER_LABEL]] = why
        # The first one too, with its grace: its helper brings the last checkpoint home.
        self.delete({0: leader, **others}, END_SECONDS)

    def _has_held(self, leader: Pod) -> bool:
        now = self._clock.monotonic()
        return now - self._held_since.setdefault(leader.where, now) >= SCHEDULE_SECONDS

    def _give_way(self, leader: Pod, others: Mapping[int, Pod]) -> None:
        """Half a group on half the nodes may be what the other half of another group waits for."""
        LOGGER.warning("%s: its Pods found no nodes together; they give way for %g s", leader.where, REST_SECONDS)
        worker = leader.body["metadata"]["labels"][WORKER_LABEL]
        bodies = [_fresh(pod.body) for _, pod in sorted({0: leader, **others}.items())]
        self._resting[worker] = _Resting(self._clock.monotonic() + REST_SECONDS, bodies)
        self._held_since.pop(leader.where, None)
        self.delete({0: leader, **others}, 0)

    def _after_a_rest(self, worker: str, resting: _Resting, namespace: str, create: Create) -> WorkerStatus:
        waits = WorkerStatus(
            phase=RunPhase.RUNNING,
            cause="Unschedulable",
            reason="its Pods found no nodes together and wait to try again",
        )
        if self._clock.monotonic() < resting.until:
            return waits
        leader = create(resting.bodies[0])
        self._view.seen(PODS, leader)
        meta = leader["metadata"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        for body in resting.bodies[1:]:
            body["metadata"]["ownerReferences"] = [owner]
            self._view.seen(PODS, create(body))
        try:
            self._api.create(SERVICES, namespace, service_of(leader, owner))
        except ConflictError:
            LOGGER.info("Service %s/%s was still there", namespace, meta["name"])
        self._resting.pop(worker, None)
        return WorkerStatus(phase=RunPhase.RUNNING, cause="Starting")


def _status(pod: Pod, waited: Callable[[Pod, str], float]) -> WorkerStatus:
    return status_of(pod, lambda cause: waited(pod, cause))


def _of_member(pod: Pod, waited: Callable[[Pod, str], float]) -> WorkerStatus:
    """How a Pod beside the first one is. Its helper, which brings nothing home, waits for the end of the first program:
    that must not hide how its own program has ended."""
    ended = pod.ended
    if ended is None or pod.is_over:
        return _status(pod, waited)
    code = int(ended.get("exitCode", -1))
    if code == 0:
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)
    return as_the_program_ended(pod, ended, code)


def _gone(leader: Pod, rank: int) -> WorkerStatus:
    name = member_name(leader.body["metadata"]["name"], rank)
    where = f"Pod {leader.body['metadata']['namespace']}/{name}"
    reason = f"{where} is gone: it was deleted, or its node is lost"
    return WorkerStatus(phase=RunPhase.LOST, cause="WorkerLost", reason=reason, retryable=True)


def _fresh(body: Body) -> Body:
    """A Pod as it was asked for, to be made again."""
    meta = {
        name: copy.deepcopy(body["metadata"][name])
        for name in ("name", "namespace", "labels", "annotations", "ownerReferences")
        if name in body["metadata"]
    }
    spec = copy.deepcopy(body["spec"])
    spec.pop("nodeName", None)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
