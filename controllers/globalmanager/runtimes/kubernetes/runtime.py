"""Workers as bare Pods: one an attempt, made once, and told apart by labels from everybody else's."""

from __future__ import annotations

import threading

from globalmanager.cluster.api import Body, ClusterUnavailableError, ClusterView, KubeApi
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.namespaces import is_leaving
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.base import LogPart, RunPhase, WorkerHandle, WorkerSpec, WorkerStatus
from globalmanager.runtimes.kubernetes.distributed import PodGroups
from globalmanager.runtimes.kubernetes.group_layout import for_torchrun, workers_of
from globalmanager.runtimes.kubernetes.job_pods import earlier_failed, is_newest_failed, was_short_of_memory_before
from globalmanager.runtimes.kubernetes.layout import worker_pod
from globalmanager.runtimes.kubernetes.naming import is_same_attempt, place_of
from globalmanager.runtimes.kubernetes.pod_log import PodLogs
from globalmanager.runtimes.kubernetes.pod_making import FORBIDDEN_SECONDS, PodMaker
from globalmanager.runtimes.kubernetes.pod_sight import PodSight
from globalmanager.runtimes.kubernetes.pod_state import Pod, status_of
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, ConflictError
from sedna.common.log import LOGGER
from sedna.common.types import JobKey

__all__ = ["PodRuntime"]

LEFTOVER_SECONDS = 20.0
"""How long containers of others may go on after program and helper have ended."""


class PodRuntime:
    """Runs workers as Pods of the job's namespace.

    Nothing is kept here that matters: what is known of a worker is its Pod, as a watch shows it. A deterministic name
    makes the same order one Pod, whoever asks for it and however often.
    """

    runs_images = True
    is_local = False

    def __init__(self, api: KubeApi, view: ClusterView, settings: KubernetesSettings, clock: Clock) -> None:
        self._api = api
        self._view = view
        self._settings = settings
        self._clock = clock
        self._maker = PodMaker(api)
        self._sight = PodSight(api, view, settings, clock)
        self._logs = PodLogs(api)
        self._groups = PodGroups(api, view, self._sight, self._maker, self._logs, clock)
        self._first_seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def handle(self, name: str, job: JobKey) -> WorkerHandle:
        """As `WorkerRuntime.handle`."""
        return WorkerHandle(name=name, place=place_of(name, job))

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        """As `WorkerRuntime.start`.

        Raises:
            SpecError: the template is no Pod, or the namespace is none that this service watches.
            ConflictError: another Pod has the name, such as one of a second service in this cluster.
            WorkerRefusedError: the namespace is being deleted, or refuses such Pods.
            WorkerWaitsError: a quota, a Secret that is not there, a right, nodes, an API server that does not answer.
            TemporaryError: an object of this name is about to go.
        """
        order = spec.order
        handle = self.handle(order.worker, order.job)
        # Its Pod would be made, and never be seen.
        self._settings.require_watched(order.job.namespace, str(order.job))
        if workers_of(spec) > 1:
            self._groups.start(spec, handle.place["namespace"], handle.place["pod"], lambda: self._alone(spec))
            return handle
        known = self._pod(handle)
        if known is None or not is_same_attempt(known.body, spec):
            made = self._maker.make_or_find(spec, for_torchrun(self._alone(spec), spec))
            self._view.seen(PODS, made)
        return handle

    def _alone(self, spec: WorkerSpec) -> Body:
        return worker_pod(spec, self._settings, self._maker.credential(spec))

    def adopt(self, handle: WorkerHandle) -> bool:
        """As `WorkerRuntime.adopt`."""
        return self._pod(handle) is not None

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """As `WorkerRuntime.observe`. How a worker has ended is in its Pod, which therefore stays until that is
        recorded: `stop` then ends what goes on in it, and `forget` deletes it.
        """
        sight = self._sight.look(handle.place["namespace"], handle.place["pod"])
        pod = sight.pod
        if pod is None:
            return self._gone(handle) if sight.certain else WorkerStatus(phase=RunPhase.RUNNING, cause="Unknown")
        status = self._groups.status(pod, status_of(pod, lambda cause: self._waited(pod, cause)), self._waited)
        if status.phase is RunPhase.RUNNING:
            return status
        if pod.holds_its_machine and pod.others_run and self._waited(pod, "OthersRun") < LEFTOVER_SECONDS:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="OthersRun")
        return self._with_history(pod, status)

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        """As `WorkerRuntime.stop`.

        Raises:
            ClusterUnavailableError: the API server does not answer.
        """
        self._groups.cancel(handle.name)
        pod = self._pod(handle)
        if pod is None:
            return
        self._groups.stop(pod, grace_seconds)
        if pod.is_leaving or pod.is_over:
            return
        # Of one whose worker has ended: containers beside the program would hold the machine as long as they like, and
        # an image that comes late would start a program that nobody waits for.
        if _state(pod) is RunPhase.RUNNING or pod.holds_its_machine:
            self._delete(pod, grace_seconds)

    def read_log(self, handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        """As `WorkerRuntime.read_log`."""
        return self._logs.part(handle.name, self._pod(handle), offset, max_bytes)

    def forget(self, handle: WorkerHandle) -> None:
        """As `WorkerRuntime.forget`: the newest Pod of a job that has failed stays, for ``kubectl logs``."""
        pod = self._pod(handle)
        self._groups.cancel(handle.name)
        if pod is not None and _state(pod) is RunPhase.RUNNING:
            return
        self._logs.forget(handle.name)
        if pod is None or pod.is_leaving:  # it goes, with the grace that it was given
            return
        if pod.is_over:
            self._groups.forget(pod)
        if not self._is_to_keep(pod):
            self._delete(pod, 0)
            return
        # Their rounds may be long over, and nobody asks for them again: of many failures one Pod is left.
        for earlier in earlier_failed(self._view, pod):
            self._delete(earlier, 0)

    # --- inside --------------------------------------------------------------------------------------------------

    def _pod(self, handle: WorkerHandle) -> Pod | None:
        return self._sight.seen(handle.place["namespace"], handle.place["pod"])

    @staticmethod
    def _gone(handle: WorkerHandle) -> WorkerStatus:
        where = f"Pod {handle.place['namespace']}/{handle.place['pod']}"
        reason = f"{where} is gone: it was deleted, or its node is lost"
        return WorkerStatus(phase=RunPhase.LOST, cause="WorkerLost", reason=reason, retryable=True)

    def _waited(self, pod: Pod, cause: str) -> float:
        key = (str(pod.body["metadata"].get("uid")), cause)
        now = self._clock.monotonic()
        with self._lock:
            if len(self._first_seen) > 10_000:  # of Pods long gone; what is forgotten too early is waited for again
                self._first_seen.clear()
            return now - self._first_seen.setdefault(key, now)

    def _with_history(self, pod: Pod, status: WorkerStatus) -> WorkerStatus:
        """What the Pod alone does not tell: the end of its log, and whether memory was short before."""
        if status.phase is RunPhase.SUCCEEDED:
            return status
        if status.cause == "OOMKilled" and was_short_of_memory_before(self._view, pod):
            # The same program on the same data needs the same memory: one more try is enough.
            status = status.model_copy(update={"retryable": False, "reason": f"{status.reason}, as before"})
        return status.model_copy(update={"log_tail": status.log_tail or self._logs.tail(pod)})

    def _is_to_keep(self, pod: Pod) -> bool:
        """Whether it is the newest failed Pod of a job with which it goes, and holds nothing."""
        if _state(pod) is RunPhase.SUCCEEDED or pod.holds_its_machine:
            return False
        return bool(pod.body["metadata"].get("ownerReferences")) and is_newest_failed(self._view, pod)

    def _delete(self, pod: Pod, grace_seconds: float) -> None:
        meta = pod.body["metadata"]
        try:
            self._api.delete(PODS, meta["namespace"], meta["name"], grace_seconds=grace_seconds, uid=meta["uid"])
        except ConflictError:
            LOGGER.info("%s is another one by now", pod.where)
        except AuthError as error:
            if is_leaving(self._api, meta["namespace"]):
                LOGGER.info("%s goes with its namespace", pod.where)
                return
            raise ClusterUnavailableError(
                f"the service may not delete Pods: {error.message}", where=pod.where, retry_after=FORBIDDEN_SECONDS
            ) from error


def _state(pod: Pod) -> RunPhase:
    return status_of(pod, lambda _: 0.0).phase
