"""What the status of a Pod says about its worker.

The terminated state of the program's container decides, never the Pod's phase: that one lies while a helper runs, and
after an eviction.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from globalmanager.cluster.api import Body
from globalmanager.runtimes.base import TEMPORARY_EXIT, RunPhase, WorkerStatus
from globalmanager.runtimes.kubernetes.naming import HELPER, STAGE_IN, program_of

__all__ = ["Pod", "Waited", "status_of"]

Waited = Callable[[str], float]
"""How many seconds ago this cause was first seen at this Pod, by our clock."""

PATIENCE_SECONDS: Final = 120.0
"""An image that cannot be pulled for so long is not there."""

STAGE_OUT_SECONDS: Final = 600.0
"""Results that take longer are worth a message: a GPU may be held for them."""

NODE_SECONDS: Final = 60.0
"""Beyond its grace; a Pod that is still being deleted then has lost its node."""

_PULL: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable"})
_NEVER_STARTS: Final = frozenset({"ContainerCannotRun", "StartError"})
_REFUSED_BY_NODE: Final = re.compile(r"OutOf\S+|NodeAffinity|NodePorts|MatchNodeSelector|UnexpectedAdmissionError")
_MISSING: Final = re.compile(r'(secret|configmap) "[^"]*" not found|couldn\'t find key', re.IGNORECASE)
_NODE_PRESSURE: Final = re.compile(r"node was low on resource|node had condition", re.IGNORECASE)
_OVERUSE: Final = re.compile(r"exceeds its request|larger consumption", re.IGNORECASE)
_ROOT: Final = re.compile(r"runAsNonRoot|non-root|non-numeric user", re.IGNORECASE)


@dataclass(frozen=True)
class Pod:
    """A Pod's body, read."""

    body: Body

    @property
    def where(self) -> str:
        """What messages call it."""
        meta = self.body["metadata"]
        return f"Pod {meta.get('namespace')}/{meta['name']}"

    @property
    def status(self) -> dict[str, Any]:
        """What the node says."""
        found: dict[str, Any] = self.body.get("status") or {}
        return found

    @property
    def phase(self) -> str:
        """As Kubernetes has it."""
        return str(self.status.get("phase", "Pending"))

    @property
    def is_over(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def is_leaving(self) -> bool:
        """Whether somebody has deleted it."""
        return bool(self.body["metadata"].get("deletionTimestamp"))

    @property
    def grace_seconds(self) -> float:
        """What its containers get when it is deleted."""
        meta, spec = self.body["metadata"], self.body.get("spec") or {}
        return float(meta.get("deletionGracePeriodSeconds") or spec.get("terminationGracePeriodSeconds") or 30)

    @property
    def program(self) -> str:
        """Name of the container that decides."""
        return program_of(self.body)

    def state(self, name: str) -> dict[str, Any]:
        """``state`` of a container, init or not; empty while the node has said nothing."""
        for one in self._containers():
            if one.get("name") == name:
                found: dict[str, Any] = one.get("state") or {}
                return found
        return {}

    @property
    def ended(self) -> dict[str, Any] | None:
        """How the program ended, or None."""
        found: dict[str, Any] | None = self.state(self.program).get("terminated")
        return found

    @property
    def has_helper(self) -> bool:
        """Whether another container brings the results home."""
        spec = self.body.get("spec") or {}
        every = [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]
        return any(container.get("name") == HELPER for container in every)

    @property
    def others_run(self) -> bool:
        """Whether containers beside program and helper go on, such as those of a service mesh."""
        names = {container.get("name") for container in (self.body.get("spec") or {}).get("containers") or ()}
        return any("running" in self.state(str(name)) for name in names - {self.program, HELPER})

    @property
    def is_unfinished(self) -> bool:
        """Whether a container runs, or may yet begin to."""
        states = [one.get("state") or {} for one in self.status.get("containerStatuses") or ()]
        return not self.is_over and any("running" in state or "waiting" in state for state in states)

    @property
    def holds_its_machine(self) -> bool:
        """Whether containers of it go on, or may begin to, and nobody has told them to end. After a failed init
        container none begins."""
        return not self.is_leaving and self.is_unfinished and not any(self.faults_of_init())

    def faults_of_init(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Init containers that have failed, with how."""
        for one in self.status.get("initContainerStatuses") or ():
            ended = (one.get("state") or {}).get("terminated")
            if ended and ended.get("exitCode") != 0 and one.get("name") != HELPER:
                yield str(one.get("name")), ended

    def waiting(self) -> Iterator[tuple[str, str, str, str]]:
        """Containers that do not start: name, image, reason, message."""
        for one in self._containers():
            found = (one.get("state") or {}).get("waiting")
            if found:
                yield (
                    str(one.get("name")),
                    str(one.get("image", "")),
                    str(found.get("reason", "")),
                    str(found.get("message", "")),
                )

    def unschedulable(self) -> str | None:
        """The scheduler's message while it finds no node."""
        for condition in self.status.get("conditions") or ():
            if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
                return str(condition.get("message") or condition.get("reason") or "no node takes it")
        return None

    def _containers(self) -> Iterator[dict[str, Any]]:
        for kind in ("initContainerStatuses", "containerStatuses"):
            yield from self.status.get(kind) or ()


def status_of(pod: Pod, waited: Waited) -> WorkerStatus:
    """The state of a worker whose Pod is there."""
    ended = pod.ended
    if ended is not None:
        return _after_the_program(pod, ended, waited)
    if pod.is_over:
        return _over_without_an_end(pod)
    for name, fault in pod.faults_of_init():
        return _init_failed(pod, name, fault)
    if pod.is_leaving:
        return _leaving(pod, waited)
    if "running" in pod.state(pod.program):
        return WorkerStatus(phase=RunPhase.RUNNING)
    return _not_started(pod, waited)


def _waits(cause: str, reason: str = "") -> WorkerStatus:
    return WorkerStatus(phase=RunPhase.RUNNING, cause=cause, reason=reason)


def _failed(cause: str, reason: str, *, retryable: bool, exit_code: int | None = None) -> WorkerStatus:
    return WorkerStatus(phase=RunPhase.FAILED, cause=cause, reason=reason, retryable=retryable, exit_code=exit_code)


def _lost(cause: str, reason: str) -> WorkerStatus:
    return WorkerStatus(phase=RunPhase.LOST, cause=cause, reason=reason, retryable=True)


def _evicted(message: str) -> WorkerStatus:
    """A node short of memory or disk evicts whom it likes: that is no fault of a worker which keeps to its request."""
    blameless = _NODE_PRESSURE.search(message) and not _OVERUSE.search(message)
    return _lost("WorkerLost" if blameless else "Evicted", f"its Pod was evicted: {message or 'no message'}")


def _after_the_program(pod: Pod, ended: dict[str, Any], waited: Waited) -> WorkerStatus:
    helper = pod.state(HELPER)
    if "waiting" in helper and waited("HelperFailed") > PATIENCE_SECONDS:
        return _lost("HelperFailed", f"the helper beside it does not start: {helper['waiting'].get('reason')}")
    if pod.has_helper and not pod.is_over and "terminated" not in helper:
        # What the program has made is on its way into the store; until it is there the Pod holds its machine.
        late = waited("StagingOut") > STAGE_OUT_SECONDS
        text = f"the results in {pod.where} are not in the store yet; kubectl logs -c {HELPER} says why"
        return _waits("StagingOut", text if late else "")
    code = int(ended.get("exitCode", -1))
    left = helper.get("terminated") or {}
    if left and left.get("exitCode") != 0 and not _is_program_fault(ended):
        if pod.is_leaving and left.get("exitCode") in (137, 143):  # both were killed when their grace was over
            return _lost("WorkerLost", "its Pod was deleted")
        text = f"the helper beside it ended with exit code {left.get('exitCode')} ({left.get('reason', 'no reason')})"
        return _lost("HelperFailed", _with(text, left.get("message")))
    if pod.status.get("reason") == "Evicted":
        return _evicted(str(pod.status.get("message", "")))
    if code == 0:
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)
    if ended.get("reason") == "ContainerStatusUnknown":
        return _lost("WorkerLost", f"its node does not know how it ended: {ended.get('message', '')}")
    return as_the_program_ended(pod, ended, code)


def _is_program_fault(ended: dict[str, Any]) -> bool:
    """Whether the program ended badly by itself, so that it does not matter what became of its helper."""
    return int(ended.get("exitCode", -1)) not in (0, 137, 143)


def as_the_program_ended(pod: Pod, ended: dict[str, Any], code: int) -> WorkerStatus:
    said = ended.get("reason", "")
    if said == "OOMKilled":
        limit = _memory_limit(pod)
        return _failed("OOMKilled", f"it was killed at its memory limit of {limit}", retryable=True, exit_code=code)
    if said in _NEVER_STARTS:
        text = _with("its program could not be started", ended.get("message"))
        return _failed("ContainerCannotRun", text, retryable=False, exit_code=code)
    if pod.is_leaving and code in (137, 143):
        return _failed("WorkerLost", "its Pod was deleted", retryable=True, exit_code=code)
    if 128 < code <= 128 + 64:
        text = f"it was killed by signal {code - 128}"
        return _failed("WorkerFailed", text, retryable=True, exit_code=code)
    text = _with(f"it ended with exit code {code}", ended.get("message"))
    return _failed("WorkerFailed", text, retryable=code == TEMPORARY_EXIT, exit_code=code)


def _memory_limit(pod: Pod) -> str:
    for container in (pod.body.get("spec") or {}).get("containers") or ():
        if container.get("name") == pod.program:
            found = ((container.get("resources") or {}).get("limits") or {}).get("memory")
            return str(found or "its node")
    return "its node"


def _over_without_an_end(pod: Pod) -> WorkerStatus:
    """The Pod is over, and how the program ended is not known: it may have brought home everything."""
    for name, fault in pod.faults_of_init():
        return _init_failed(pod, name, fault)
    reason, message = str(pod.status.get("reason", "")), str(pod.status.get("message", ""))
    if reason == "Evicted":
        return _evicted(message)
    if _REFUSED_BY_NODE.fullmatch(reason):
        return _failed("NodeRefused", f"its node has refused the Pod: {reason}: {message}", retryable=True)
    told = ": ".join(filter(None, (reason, message)))
    return _lost("WorkerLost", f"its Pod ended and nobody knows how{f' ({told})' if told else ''}")


def _init_failed(pod: Pod, name: str, fault: dict[str, Any]) -> WorkerStatus:
    code = int(fault.get("exitCode", -1))
    if pod.is_leaving and code in (137, 143):
        return _lost("WorkerLost", "its Pod was deleted before the program began")
    retryable = code in (TEMPORARY_EXIT, 137, 143)
    if name == STAGE_IN:
        text = _with(f"the inputs could not be brought (exit code {code})", fault.get("message"))
        return _failed("StageInFailed", text, retryable=retryable, exit_code=code)
    text = _with(f"init container {name!r} ended with exit code {code}", fault.get("message"))
    return _failed("InitContainerFailed", text, retryable=retryable, exit_code=code)


def _leaving(pod: Pod, waited: Waited) -> WorkerStatus:
    if waited("Stopping") > pod.grace_seconds + NODE_SECONDS:
        return _lost("WorkerLost", f"{pod.where} was deleted, and its node does not answer")
    return _waits("Stopping")


def _not_started(pod: Pod, waited: Waited) -> WorkerStatus:
    unschedulable = pod.unschedulable()
    if unschedulable is not None:
        return _waits("Unschedulable", f"{pod.where}: {unschedulable}")
    for name, image, reason, message in pod.waiting():
        found = _cannot_start(waited, name, image, reason, message)
        if found is not None:
            return found
    if waited("Starting") > PATIENCE_SECONDS:
        # Volumes that cannot be mounted and slow pulls are told by Events alone.
        return _waits("NotStarted", f"{pod.where} does not start; kubectl describe says why")
    return _waits("Starting")


def _cannot_start(waited: Waited, name: str, image: str, reason: str, message: str) -> WorkerStatus | None:
    if reason in _PULL:
        # In the same words at every look: the node's own change from try to try.
        text = f"the image {image} of container {name!r} cannot be pulled"
        if waited("ImagePullFailed") > PATIENCE_SECONDS:
            return _failed("ImagePullFailed", _with(text, message), retryable=True)
        return _waits("ImagePullFailed", text)
    if reason == "InvalidImageName":
        text = _with(f"container {name!r} names no image: {image!r}", message)
        return _failed("InvalidImageName", text, retryable=False)
    if reason == "CreateContainerConfigError":
        if _MISSING.search(message):
            return _waits("SecretMissing", f"container {name!r}: {message}")
        if _ROOT.search(message):
            return _failed("SecurityContextRefused", f"container {name!r}: {message}", retryable=False)
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        text = f"container {name!r} cannot be made: {message}"
        if waited("ContainerCannotRun") > PATIENCE_SECONDS:
            return _failed("ContainerCannotRun", text, retryable=False)
        return _waits("ContainerCannotRun", text)
    return None


def _with(text: str, message: object) -> str:
    """With the last line of a message: for containers of ours that is the end of a log, which is told as well."""
    lines = str(message or "").strip().splitlines()
    return f"{text}: {lines[-1][:1000]}" if lines else text
