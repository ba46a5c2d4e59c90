"""What a worker in a Pod has printed, as far as the node still has it."""

from __future__ import annotations

from globalmanager.cluster.api import KubeApi
from globalmanager.runtimes.base import LogPart
from globalmanager.runtimes.kubernetes.naming import STAGE_IN
from globalmanager.runtimes.kubernetes.pod_state import Pod
from sedna.common.errors import AuthError, TemporaryError
from sedna.common.log import LOGGER

__all__ = ["PodLogs"]

TAIL_BYTES = 4096
"""Of the log that an error carries."""

NODE_BYTES = 64 << 20
"""A node begins a new file at 10 MiB, unless somebody has told it otherwise."""

_NO_LOG = b"unable to retrieve container logs for "

_TRIES = 10
"""Of a log that the API server cannot get: a node that is lost must not keep its attempt from ending."""


class PodLogs:
    """Logs by worker name. A place in a log is counted from the first byte that the node has."""

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self._failures: dict[str, int] = {}

    def part(self, name: str, pod: Pod | None, offset: int, max_bytes: int) -> LogPart:
        """A part of a worker's log; empty if nobody has it any more.

        Raises:
            ClusterUnavailableError: not now.
        """
        if pod is None:
            return LogPart(data=b"")
        most = NODE_BYTES if offset < 0 else min(offset + max_bytes, NODE_BYTES)
        try:
            data = self._read(pod, most)
        except TemporaryError as error:
            self._failures[name] = self._failures.get(name, 0) + 1
            if self._failures[name] < _TRIES:
                raise
            LOGGER.warning("the log of %s is lost: %s", pod.where, error)
            return LogPart(data=b"")
        self._failures.pop(name, None)
        return _part(data, offset, max_bytes)

    def tail(self, pod: Pod) -> str:
        """The last lines, or nothing: an error is told with or without them."""
        try:
            return self._read(pod, NODE_BYTES)[-TAIL_BYTES:].decode(errors="replace").strip()
        except TemporaryError as error:
            LOGGER.info("the log of %s cannot be read now: %s", pod.where, error)
            return ""

    def forget(self, name: str) -> None:
        """Its log is not wanted any more."""
        self._failures.pop(name, None)

    def _read(self, pod: Pod, max_bytes: int) -> bytes:
        meta = pod.body["metadata"]
        try:
            data = self._api.read_log(meta["namespace"], meta["name"], _container_of(pod), max_bytes=max_bytes)
        except AuthError as error:
            LOGGER.warning("the service may not read logs of Pods: %s", error)
            return b""
        # A node that has deleted the container says so in the place of its log.
        return b"" if len(data) < 300 and data.startswith(_NO_LOG) else data


def _container_of(pod: Pod) -> str:
    """The program; before it has begun, the container that keeps it from that."""
    if pod.state(pod.program).keys() & {"running", "terminated"}:
        return pod.program
    for name, _ in pod.faults_of_init():
        return name
    return STAGE_IN if STAGE_IN in _init_names(pod) else pod.program


def _init_names(pod: Pod) -> set[str]:
    return {str(one.get("name")) for one in (pod.body.get("spec") or {}).get("initContainers") or ()}


def _part(data: bytes, offset: int, max_bytes: int) -> LogPart:
    start = max(0, len(data) + offset) if offset < 0 else min(offset, len(data))
    return LogPart(data=data[start : start + max_bytes], offset=start)
