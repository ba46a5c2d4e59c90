"""Workers as bare Pods: one an attempt, made once, and told apart by labels from everybody else's."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from globalmanager.cluster.api import (
    Body,
    ClusterUnavailableError,
    ClusterView,
    KubeApi,
    NamespaceTerminatingError,
    QuotaExceededError,
)
from globalmanager.cluster.credentials import ACCESS_KEY, SECRET_KEY, CredentialError, SecretCredentials
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.names import JOB_LABEL, TYPE_LABEL, UID_LABEL
from globalmanager.cluster.namespaces import is_leaving
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.base import (
    LogPart,
    RunPhase,
    WorkerHandle,
    WorkerRefusedError,
    WorkerSpec,
    WorkerStatus,
    WorkerWaitsError,
)
from globalmanager.runtimes.kubernetes.distributed import PodGroups
from globalmanager.runtimes.kubernetes.group_layout import as_member, for_torchrun, workers_of
from globalmanager.runtimes.kubernetes.layout import worker_pod
from globalmanager.runtimes.kubernetes.naming import ATTEMPT_LABEL, ROUND_LABEL, is_same_attempt, place_of
from globalmanager.runtimes.kubernetes.pod_log import PodLogs
from globalmanager.runtimes.kubernetes.pod_state import Pod, status_of
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SpecError, TemporaryError
from sedna.common.log import LOGGER
from sedna.common.types import JobKey

__all__ = ["PodRuntime"]

QUOTA_SECONDS = 15.0
"""Before a Pod that a quota has refused is tried again; each try is a write that the API server checks."""

SECRET_SECONDS = 10.0
FORBIDDEN_SECONDS = 60.0

LEFTOVER_SECONDS = 20.0
"""How long containers of others may go on after program and helper have ended."""


class PodRuntime:
    """Runs workers as Pods of the job's namespace.

    Nothing is kept here that matters: what is known of a worker is its Pod, as a watch shows it. A deterministic name
    makes the same order one Pod, whoever asks for it and however often.
    """

    runs_images = True

    def __init__(self, api: KubeApi, view: ClusterView, settings: KubernetesSettings, clock: Clock) -> None:
        self._api = api
        self._view = view
        self._settings = settings
        self._clock = clock
        self._secrets = SecretCredentials(api)
        self._logs = PodLogs(api)
        self._groups = PodGroups(api, view, clock)
        self._first_seen: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def handle(self, name: str, job: JobKey) -> WorkerHandle:
        """As `WorkerRuntime.handle`."""
        return WorkerHandle(name=name, place=place_of(name, job))

    def start(self, spec: WorkerSpec) -> WorkerHandle:
        """As `WorkerRuntime.start`.

        Raises:
            SpecError: the template is no Pod.
            ConflictError: another Pod has the name, such as one of a second service in this cluster.
            WorkerRefusedError: the namespace is being deleted, or refuses such Pods.
            WorkerWaitsError: a quota, or a Secret that is not there.
            ClusterUnavailableError: the API server does not answer.
        """
        handle = self.handle(spec.order.worker, spec.order.job)
        known = self._pod(handle)
        several = workers_of(spec) > 1
        ours = known is not None and is_same_attempt(known.body, spec)
        if known is not None and ours and (not several or known.is_over or self._groups.is_complete(known.body)):
            return handle
        alone = worker_pod(spec, self._settings, self._credential(spec))
        body = as_member(alone, spec, 0) if several else for_torchrun(alone, spec)
        made = known.body if known is not None and ours else self._create_or_adopt(spec, body)
        self._view.seen(PODS, made)
        self._groups.complete(spec, made, alone, lambda member: self._create_or_adopt(spec, member))
        return handle

    def adopt(self, handle: WorkerHandle) -> bool:
        """As `WorkerRuntime.adopt`."""
        return self._pod(handle) is not None

    def observe(self, handle: WorkerHandle) -> WorkerStatus:
        """As `WorkerRuntime.observe`."""
        pod = self._pod(handle) or self._confirmed(handle)
        if pod is None:
            return self._groups.absent(handle.name, self._absent(handle), handle.place["namespace"], self._create)
        status = self._groups.status(pod, status_of(pod, lambda cause: self._waited(pod, cause)), self._waited)
        if status.phase is RunPhase.RUNNING:
            return status
        if pod.is_leaving or not pod.is_unfinished or any(pod.faults_of_init()):
            return self._with_history(pod, status)
        if pod.others_run and self._waited(pod, "OthersRun") < LEFTOVER_SECONDS:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="OthersRun")
        return self._end(pod, handle, status)

    def stop(self, handle: WorkerHandle, grace_seconds: float) -> None:
        """As `WorkerRuntime.stop`.

        Raises:
            ClusterUnavailableError: the API server does not answer.
        """
        self._groups.cancel(handle.name)
        pod = self._pod(handle)
        if pod is not None and not pod.is_leaving and not pod.is_over:
            self._groups.stop(pod, grace_seconds)
            self._delete(pod, grace_seconds)

    def read_log(self, handle: WorkerHandle, offset: int, max_bytes: int) -> LogPart:
        """As `WorkerRuntime.read_log`."""
        return self._logs.part(handle.name, self._pod(handle), offset, max_bytes)

    def forget(self, handle: WorkerHandle) -> None:
        """As `WorkerRuntime.forget`: the newest Pod of a job that has failed stays, for ``kubectl logs``."""
        pod = self._pod(handle)
        self._groups.forget(handle.name, pod if pod is not None and pod.is_over else None)
        if pod is None:
            self._logs.forget(handle.name)
            return
        status = status_of(pod, lambda _: 0.0)
        if status.phase is RunPhase.RUNNING or self._is_to_keep(pod, status):
            return
        self._delete(pod, 0)
        self._logs.forget(handle.name)

    # --- start ---------------------------------------------------------------------------------------------------

    def _create_or_adopt(self, spec: WorkerSpec, body: Body) -> Body:
        try:
            return self._create(body)
        except ConflictError as error:
            return self._adopted(spec, body["metadata"], error)

    def _create(self, body: Body) -> Body:
        where = f"Pod {body['metadata']['namespace']}/{body['metadata']['name']}"
        try:
            return self._api.create(PODS, body["metadata"]["namespace"], body)
        except QuotaExceededError as error:
            raise WorkerWaitsError(
                error.message, cause="QuotaExceeded", where=where, hint="raise the quota, or wait for other Pods",
                retry_after=QUOTA_SECONDS,
            ) from error  # fmt: skip
        except (NamespaceTerminatingError, NotFoundError) as error:
            raise WorkerRefusedError(error.message, cause="NamespaceTerminating", where=where) from error
        except AuthError as error:
            raise self._forbidden(error, where) from error
        except SpecError as error:
            raise WorkerRefusedError(error.message, cause="TemplateInvalid", where=where) from error

    @staticmethod
    def _forbidden(error: AuthError, where: str) -> WorkerWaitsError | WorkerRefusedError:
        """Either the service lacks a right, which somebody can give it, or a policy does not want such Pods."""
        if "cannot create resource" in error.message or not error.forbidden:
            hint = "give the service's account the right to create pods in this namespace"
            return WorkerWaitsError(
                error.message, cause="Forbidden", where=where, hint=hint, retry_after=FORBIDDEN_SECONDS
            )
        return WorkerRefusedError(error.message, cause="PodRefused", where=where)

    def _adopted(self, spec: WorkerSpec, place: Mapping[str, str], error: ConflictError) -> Body:
        """The Pod that has the name already: made by an engine that died before it could say so, or somebody else's."""
        found = self._api.get(PODS, place["namespace"], place["name"])
        if found is None:
            raise TemporaryError("a Pod of this name has just gone; trying again", where=error.where) from error
        if not is_same_attempt(found, spec):
            raise ConflictError(
                "a Pod of this name is not of this attempt",
                where=f"Pod {place['namespace']}/{place['name']}",
                hint="delete it; two services must not drive the same job",
            ) from error
        return found

    def _credential(self, spec: WorkerSpec) -> list[Body]:
        """Variables with which the user's program reaches the object store of its job.

        Looked at before the Pod is made: a Secret that is not there would show in Events alone.
        """
        if spec.order.template is None or not spec.credentials:
            return []
        name = spec.credentials[0]
        try:
            settings = self._secrets.settings(spec.order.job.namespace, name)
        except CredentialError as error:
            raise WorkerWaitsError(
                error.message, cause=error.cause, where=error.where, hint=error.hint, retry_after=SECRET_SECONDS
            ) from error
        return [
            {"name": "S3_ENDPOINT_URL", "value": settings.endpoint},
            *(
                {"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}}
                for key in (ACCESS_KEY, SECRET_KEY)
            ),
        ]

    # --- observe -------------------------------------------------------------------------------------------------

    def _pod(self, handle: WorkerHandle) -> Pod | None:
        body = self._view.get(PODS, handle.place["namespace"], handle.place["pod"])
        return None if body is None else Pod(body)

    def _confirmed(self, handle: WorkerHandle) -> Pod | None:
        """A Pod that the watch does not show, asked for once more: one that was just made may not have come by yet."""
        if not self._view.synced:
            return None
        try:
            found = self._api.get(PODS, handle.place["namespace"], handle.place["pod"])
        except TemporaryError:
            return None
        except AuthError:
            if is_leaving(self._api, handle.place["namespace"]):
                return None
            raise
        if found is None:
            return None
        self._view.seen(PODS, found)
        return Pod(found)

    def _absent(self, handle: WorkerHandle) -> WorkerStatus:
        if not self._view.synced:
            return WorkerStatus(phase=RunPhase.RUNNING, cause="Unknown")  # absence says nothing yet
        where = f"Pod {handle.place['namespace']}/{handle.place['pod']}"
        return WorkerStatus(
            phase=RunPhase.LOST,
            cause="WorkerLost",
            reason=f"{where} is gone: it was deleted, or its node is lost",
            retryable=True,
            log_tail=self._logs.kept_tail(handle.name),
        )

    def _waited(self, pod: Pod, cause: str) -> float:
        key = (str(pod.body["metadata"].get("uid")), cause)
        now = self._clock.monotonic()
        with self._lock:
            if len(self._first_seen) > 10_000:  # of Pods long gone; what is forgotten too early is waited for again
                self._first_seen.clear()
            return now - self._first_seen.setdefault(key, now)

    def _end(self, pod: Pod, handle: WorkerHandle, status: WorkerStatus) -> WorkerStatus:
        """The attempt is over and its Pod is not: containers beside the program would hold the machine as long as they
        like, and an image that comes late would start a program that nobody waits for. Its log is kept.
        """
        done = self._with_history(pod, status)
        self._logs.keep(handle.name, pod)
        try:
            self._delete(pod, 1)
        except TemporaryError as error:
            LOGGER.warning("%s is still there: %s", pod.where, error)
        return done

    def _with_history(self, pod: Pod, status: WorkerStatus) -> WorkerStatus:
        """What the Pod alone does not tell: the end of its log, and whether memory was short before."""
        if status.phase is RunPhase.SUCCEEDED:
            return status
        if status.cause == "OOMKilled" and self._was_short_of_memory_before(pod):
            status = status.model_copy(update={"retryable": False, "reason": f"{status.reason}, as before"})
        return status.model_copy(update={"log_tail": self._logs.tail(pod)})

    def _was_short_of_memory_before(self, pod: Pod) -> bool:
        """The same program on the same data needs the same memory: one more try is enough."""
        own = pod.body["metadata"]["labels"]
        for other in self._of_job(pod):
            labels = other.body["metadata"]["labels"]
            same = all(labels.get(name) == own.get(name) for name in (ROUND_LABEL, TYPE_LABEL))
            earlier = int(labels.get(ATTEMPT_LABEL, 0)) < int(own.get(ATTEMPT_LABEL, 0))
            if same and earlier and (other.ended or {}).get("reason") == "OOMKilled":
                return True
        return False

    def _of_job(self, pod: Pod) -> list[Pod]:
        meta = pod.body["metadata"]
        wanted: dict[str, Any] = {name: meta["labels"].get(name) for name in (JOB_LABEL, UID_LABEL)}
        found = []
        for body in self._view.all(PODS):
            labels = body["metadata"].get("labels") or {}
            same = all(labels.get(name) == value for name, value in wanted.items())
            if same and body["metadata"].get("namespace") == meta["namespace"] and ATTEMPT_LABEL in labels:
                found.append(Pod(body))
        return found

    # --- forget --------------------------------------------------------------------------------------------------

    def _is_to_keep(self, pod: Pod, status: WorkerStatus) -> bool:
        """Whether it is the newest failed Pod of a job with which it goes."""
        if status.phase is RunPhase.SUCCEEDED or pod.is_leaving or not pod.body["metadata"].get("ownerReferences"):
            return False
        failed = [
            one for one in self._of_job(pod) if status_of(one, lambda _: 0.0).phase in (RunPhase.FAILED, RunPhase.LOST)
        ]
        return _age(pod) == max(map(_age, failed), default=_age(pod))

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


def _age(pod: Pod) -> tuple[int, str, int]:
    labels = pod.body["metadata"]["labels"]
    # A training comes before the evaluation of its round, and by the alphabet after it.
    kind = "0" if labels.get(TYPE_LABEL) == "train" else "1"
    return int(labels.get(ROUND_LABEL, 0)), kind, int(labels.get(ATTEMPT_LABEL, 0))
