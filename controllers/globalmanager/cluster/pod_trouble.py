"""What keeps a Pod from working, as its status says it."""

from __future__ import annotations

from globalmanager.cluster.api import Body
from sedna.common.types import Value

__all__ = ["PodTrouble", "is_ready", "trouble_of"]

_WAITING_IS_NORMAL = frozenset({"", "ContainerCreating", "PodInitializing"})


class PodTrouble(Value):
    """``crashed``: a program of it ends again and again; otherwise it could not even begin."""

    text: str
    crashed: bool


def is_ready(pod: Body) -> bool:
    """Whether requests are sent to it."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(found.get("type") == "Ready" and found.get("status") == "True" for found in conditions)


def trouble_of(pod: Body) -> PodTrouble | None:
    """The first thing that is wrong with a Pod that should run for ever; None while it starts or works."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("reason") == "Unschedulable":
            return PodTrouble(text=f"Unschedulable: {condition.get('message', '')}", crashed=False)
    for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting is None or str(waiting.get("reason", "")) in _WAITING_IS_NORMAL:
            continue
        crashed = waiting["reason"] == "CrashLoopBackOff"
        said = _last_words(container) if crashed else str(waiting.get("message", ""))
        text = f"container {container.get('name')}: {waiting['reason']}"
        return PodTrouble(text=f"{text}: {said}" if said else text, crashed=crashed)
    return None


def _last_words(container: Body) -> str:
    ended = (container.get("lastState") or {}).get("terminated")
    if ended is None:
        return ""
    said = f"it ended with {ended.get('reason', 'Error')}, exit code {ended.get('exitCode')}"
    message = str(ended.get("message", "")).strip()
    return f"{said}: {message[-300:]}" if message else said
