"""One training in several Pods: which there are, and when they count as one worker.

The first Pod is the worker's own, with rank 0; the others are named after it, belong to it and go with it. A headless
Service gives them names before they are ready. They start together or not at all, and end together: one that is lost
ends the attempt, and the next one goes on from the checkpoint. Nothing of one attempt can join another: names, the
Service's selector and the identity of the rendezvous are the attempt's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import PODS, SERVICES
from globalmanager.runtimes.base import RunPhase, WorkerSpec, WorkerStatus, WorkerWaitsError
from globalmanager.runtimes.kubernetes.group_layout import (
    SIZE_ANNOTATION,
    as_member,
    member_name,
    service_of,
    workers_of,
)
from globalmanager.runtimes.kubernetes.naming import ATTEMPT_LABEL, RANK_LABEL, WORKER_LABEL, is_same_attempt
from globalmanager.runtimes.kubernetes.pod_log import PodLogs
from globalmanager.runtimes.kubernetes.pod_making import PodMaker, told_as_waiting
from globalmanager.runtimes.kubernetes.pod_sight import PodSight
from globalmanager.runtimes.kubernetes.pod_state import Pod, as_the_program_ended, status_of
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, PermanentError, SednaError, TemporaryError, UserError
from sedna.common.log import LOGGER

__all__ = ["PodGroups"]

SCHEDULE_SECONDS: Final = 120.0
"""How long Pods that have a node wait for one that has none, before all give way."""

REST_SECONDS: Final = 60.0
"""Before they try again: whoever waited for the same nodes, or for the same quota, comes first."""

ENDING_SECONDS: Final = 5.0
"""Before it is looked again whether the Pods of an earlier try are gone."""

_NOT_BY_OTHERS: Final = frozenset({"Evicted", "NodeRefused", "OOMKilled", "WorkerLost"})
"""Ends that a process does not come to because another one has left it."""

Waited = Callable[[Pod, str], float]


class PodGroups:
    """The Pods of a worker beside its first one.

    What matters is in the cluster: the Service is made last, so that with it all Pods have been there, and one that is
    missing is lost. Kept here is only since when a group waits for nodes, and until when it rests.
    """

    def __init__(
        self, api: KubeApi, view: ClusterView, sight: PodSight, maker: PodMaker, logs: PodLogs, clock: Clock
    ) -> None:
        self._api = api
        self._view = view
        self._sight = sight
        self._maker = maker
        self._logs = logs
        self._clock = clock
        self._rests: dict[str, float] = {}
        self._held_since: dict[str, float] = {}

    # --- start ---------------------------------------------------------------------------------------------------

    def start(self, spec: WorkerSpec, namespace: str, name: str, alone: Callable[[], Body]) -> None:
        """Make all Pods, or find them. Where only some can be made these are taken back: they would hold their nodes,
        and use up the attempt, for others that may never come.

        Args:
            name: of the first Pod.
            alone: gives the Pod of a worker alone.

        Raises:
            WorkerWaitsError: not all of them can be made now; they rest; or those of an earlier try still end.
            ConflictError, WorkerRefusedError, TemporaryError: as `PodRuntime.start`.
        """
        with told_as_waiting(f"Pod {namespace}/{name}"):
            # Asked, and not only looked for: what is built upon a Pod that has just gone would go after it.
            found = self._api.get(PODS, namespace, name)
            service = self._api.get(SERVICES, namespace, name)
        known = None if found is None or not is_same_attempt(found, spec) else Pod(found)
        self._rest(spec.order.worker, known)
        if known is not None:
            self._view.seen(PODS, known.body)
            if _owns(known.body, service):
                return
            if known.is_leaving or known.is_over:  # it went before the others were there: nothing was worked at
                self._give_back(known)
                raise _still_ending(known.where)
        elif service is not None:
            raise _taken(spec, service)
        body = alone()
        leader = known.body if known is not None else self._maker.make_or_find(spec, as_member(body, spec, 0))
        self._view.seen(PODS, leader)
        try:
            self._complete(spec, leader, body)
        except WorkerWaitsError as error:
            if error.cause == "ClusterUnavailable":
                raise  # nothing can be taken back now; the next try goes on from here
            self._give_back(Pod(leader))
            raise WorkerWaitsError(
                f"not all of its {workers_of(spec)} Pods can be made: {error.message}", cause=error.cause,
                where=error.where, hint=error.hint, retry_after=max(REST_SECONDS, error.retry_after),
            ) from error  # fmt: skip
        except (UserError, PermanentError):
            self._give_back(Pod(leader))
            raise

    def _complete(self, spec: WorkerSpec, leader: Body, body: Body) -> None:
        """Make what is missing beside the first Pod. Again after a crash: what is there is found."""
        name, uid = leader["metadata"]["name"], leader["metadata"]["uid"]
        owner = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
        for rank in range(1, workers_of(spec)):
            member = as_member(body, spec, rank)
            member["metadata"]["ownerReferences"] = [owner]
            made = self._maker.make_or_find(spec, member)
            if Pod(made).is_leaving or uid not in _owners(made):
                raise _still_ending(Pod(made).where)  # one of an earlier try, which goes with the first Pod of that
            self._view.seen(PODS, made)
        try:
            self._maker.make(SERVICES, service_of(leader, owner))
        except ConflictError as error:
            with told_as_waiting(f"Service {name}"):
                there = self._api.get(SERVICES, leader["metadata"]["namespace"], name)
            if there is None:
                raise TemporaryError("a Service of this name has just gone; trying again", where=error.where) from error
            if not _owns(leader, there):
                raise _taken(spec, there) from error

    def _rest(self, worker: str, known: Pod | None) -> None:
        until = self._rests.get(worker)
        if until is None:
            return
        left = until - self._clock.monotonic()
        if left <= 0:
            self._rests.pop(worker, None)
            return
        if known is not None:
            LOGGER.warning("%s: its Pods found no nodes together; they give way for %.0f s", known.where, left)
            self._give_back(known)
        raise WorkerWaitsError(
            "its Pods found no nodes together and wait to try again", cause="Unschedulable", retry_after=left
        )

    def _give_back(self, leader: Pod) -> None:
        """Delete the first Pod, and with it what it owns. If that fails, the next try finds it."""
        self._delete([*self.members(leader).values(), leader], 0)

    # --- observe -------------------------------------------------------------------------------------------------

    def status(self, leader: Pod, own: WorkerStatus, waited: Waited) -> WorkerStatus:
        """What a worker of several Pods is at, from the state of its first one."""
        size = int((leader.body["metadata"].get("annotations") or {}).get(SIZE_ANNOTATION, 1))
        if size == 1 or own.phase is RunPhase.SUCCEEDED:
            return own
        if own.phase is RunPhase.RUNNING and leader.is_leaving:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="Stopping")
        if own.phase is RunPhase.RUNNING and leader.ended is not None:
            return own  # its results are on their way, and the others are not needed any more
        found = self._others(leader, size, waited)
        failed = [one for one in found if one.phase in (RunPhase.FAILED, RunPhase.LOST)]
        # One that was left alone by another ends as well, and often earlier seen: whose end says more comes first.
        failed.sort(key=lambda one: one.cause not in _NOT_BY_OTHERS)
        if own.phase is not RunPhase.RUNNING:
            taken = own.cause not in _NOT_BY_OTHERS and failed and failed[0].cause in _NOT_BY_OTHERS
            return failed[0] if taken and not leader.is_leaving else own
        if failed:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="Stopping", ends_as=failed[0])
        return self._together(leader, [own, *(one for one in found if one.phase is RunPhase.RUNNING)])

    def _others(self, leader: Pod, size: int, waited: Waited) -> list[WorkerStatus]:
        """How the other ranks are, in their order."""
        there, found = self.members(leader), []
        for rank in range(1, size):
            pod = there.get(rank)
            told = self._missing(leader, rank) if pod is None else _of_member(pod, waited)
            if told.phase in (RunPhase.FAILED, RunPhase.LOST):
                tail = "" if pod is None else self._logs.tail(pod)
                told = told.model_copy(update={"reason": f"process {rank} of {size}: {told.reason}", "log_tail": tail})
            found.append(told)
        return found

    def _missing(self, leader: Pod, rank: int) -> WorkerStatus:
        namespace = leader.body["metadata"]["namespace"]
        name = member_name(leader.body["metadata"]["name"], rank)
        sight = self._sight.look(namespace, name)
        if not sight.certain or (sight.pod is not None and _belongs(sight.pod.body, leader)):
            return WorkerStatus(phase=RunPhase.RUNNING, cause="Unknown")
        reason = f"Pod {namespace}/{name} is gone: it was deleted, or its node is lost"
        return WorkerStatus(phase=RunPhase.LOST, cause="WorkerLost", reason=reason, retryable=True)

    def _together(self, leader: Pod, everyone: list[WorkerStatus]) -> WorkerStatus:
        """What a group waits for. Half of one on half the nodes may be what the other half of another waits for."""
        worker = leader.body["metadata"]["labels"][WORKER_LABEL]
        homeless = next((one for one in everyone if one.cause == "Unschedulable"), None)
        if homeless is None:
            self.cancel(worker)
            return next((one for one in everyone if one.cause and one.reason), everyone[0])
        now = self._clock.monotonic()
        if all(one.cause == "Unschedulable" for one in everyone):
            self._held_since.pop(worker, None)  # it holds nothing that others wait for
        elif now - self._held_since.setdefault(worker, now) >= SCHEDULE_SECONDS:
            self._rests[worker] = now + REST_SECONDS
            return homeless.model_copy(update={"gives_way": True})
        return homeless

    def members(self, leader: Pod) -> dict[int, Pod]:
        """The Pods of the other ranks that are there."""
        meta = leader.body["metadata"]
        wanted = {name: meta["labels"].get(name) for name in (WORKER_LABEL, ATTEMPT_LABEL)}
        found = {}
        for body in self._view.all(PODS):
            labels = _labels(body)
            same = all(labels.get(name) == value for name, value in wanted.items())
            if same and body["metadata"]["namespace"] == meta["namespace"] and _belongs(body, leader):
                found[int(labels.get(RANK_LABEL, 0))] = Pod(body)
        return found

    # --- end -----------------------------------------------------------------------------------------------------

    def cancel(self, worker: str) -> None:
        """It need not give way: it works, or nobody wants it any more."""
        self._rests.pop(worker, None)
        self._held_since.pop(worker, None)

    def stop(self, leader: Pod, grace_seconds: float) -> None:
        """End the others with the first one, which the caller ends. What has ended tells how, and stays with that."""
        self._delete((pod for pod in self.members(leader).values() if not pod.is_over), grace_seconds)

    def forget(self, leader: Pod) -> None:
        """Delete what is left of the others."""
        self._delete(self.members(leader).values(), 0)

    def _delete(self, pods: Iterable[Pod], grace_seconds: float) -> None:
        """Ask these to end; what cannot be deleted now goes with the first Pod."""
        for pod in pods:
            if pod.is_leaving:
                continue
            meta = pod.body["metadata"]
            try:
                self._api.delete(PODS, meta["namespace"], meta["name"], grace_seconds=grace_seconds, uid=meta["uid"])
            except SednaError as error:
                LOGGER.warning("%s is still there: %s", pod.where, error)


def _still_ending(where: str) -> WorkerWaitsError:
    text = "the Pods of an earlier try still end"
    return WorkerWaitsError(text, cause="Stopping", where=where, retry_after=ENDING_SECONDS)


def _taken(spec: WorkerSpec, service: Body) -> SednaError:
    """What it means that another Service has the name of a group's."""
    where = f"Service {service['metadata'].get('namespace')}/{service['metadata']['name']}"
    if _labels(service).get(WORKER_LABEL) == spec.order.worker:
        return _still_ending(where)  # one of an earlier try: it goes with the first Pod of that
    return ConflictError("has the name of a training's, and is none", where=where, hint="delete it, or rename the job")


def _labels(body: Body) -> dict[str, Any]:
    found: dict[str, Any] = body["metadata"].get("labels") or {}
    return found


def _owners(body: Body) -> set[Any]:
    return {one.get("uid") for one in body["metadata"].get("ownerReferences") or ()}


def _belongs(body: Body, leader: Pod) -> bool:
    return leader.body["metadata"]["uid"] in _owners(body)


def _owns(leader: Body, service: Body | None) -> bool:
    """Whether all Pods have been there: the Service was made after them, and for this very first one."""
    return service is not None and leader["metadata"]["uid"] in _owners(service)


def _status(pod: Pod, waited: Waited) -> WorkerStatus:
    return status_of(pod, lambda cause: waited(pod, cause))


def _of_member(pod: Pod, waited: Waited) -> WorkerStatus:
    """How a Pod beside the first one is. Its helper, which brings nothing home, waits for the end of the first program:
    that must not hide how its own program has ended."""
    ended = pod.ended
    if ended is None or pod.is_over:
        return _status(pod, waited)
    code = int(ended.get("exitCode", -1))
    if code == 0:
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)
    return as_the_program_ended(pod, ended, code)
