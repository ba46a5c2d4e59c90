"""Pods as the watch shows them, and asked for where it shows none."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.namespaces import is_leaving
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.kubernetes.pod_state import Pod
from sedna.common.clock import Clock
from sedna.common.errors import AuthError, TemporaryError

__all__ = ["PodSight", "Sight"]

ASK_SECONDS = 10.0
"""Between two questions for one Pod that the watch does not show. Shorter than a lease lasts: what this process was
told before another one drove the jobs, it must not believe afterwards."""

_MOST = 10_000


@dataclass(frozen=True)
class Sight:
    """A Pod, or None; ``certain``: whether it is known then that there is none."""

    pod: Pod | None
    certain: bool = True


class PodSight:
    """Looks for Pods: mostly without a request, and never twice in a moment for the same one."""

    def __init__(self, api: KubeApi, view: ClusterView, settings: KubernetesSettings, clock: Clock) -> None:
        self._api = api
        self._view = view
        self._settings = settings
        self._clock = clock
        self._asked: dict[tuple[str, str], tuple[float, Sight]] = {}
        self._lock = threading.Lock()

    def seen(self, namespace: str, name: str) -> Pod | None:
        """The Pod as it is known now; where nothing is watched, as it was asked for last."""
        if not self._settings.watches(namespace):
            with contextlib.suppress(AuthError):  # with the watch may have gone the rights there
                return self.look(namespace, name).pod
            return None
        body = self._view.get(PODS, namespace, name)
        return None if body is None else Pod(body)

    def look(self, namespace: str, name: str) -> Sight:
        """The Pod, or whether it is certain that it is gone.

        One that was just made may not have come by yet, and an API server that does not answer has not said that
        there is none: a worker must not be called lost for either.

        Raises:
            AuthError: the service may not get Pods.
        """
        # A namespace that is watched no longer shows nothing new, for ever: its Pods are asked for, now and then.
        watched = self._settings.watches(namespace)
        body = self._view.get(PODS, namespace, name) if watched else None
        if body is not None:
            return Sight(Pod(body))
        if watched and not self._view.synced:
            return Sight(None, certain=False)
        key, now = (namespace, name), self._clock.monotonic()
        with self._lock:
            until, told = self._asked.get(key, (now, None))
        if told is not None and now < until:
            return told
        told = self._ask(namespace, name, watched=watched)
        with self._lock:
            if len(self._asked) > _MOST:  # of Pods long gone; who is wanted still is asked for once more
                self._asked.clear()
            self._asked[key] = (now + ASK_SECONDS, told)
        return told

    def _ask(self, namespace: str, name: str, *, watched: bool) -> Sight:
        try:
            found = self._found(namespace, name)
        except TemporaryError:
            return Sight(None, certain=False)
        if found is None:
            return Sight(None)
        if watched:
            self._view.seen(PODS, found)
        return Sight(Pod(found))

    def _found(self, namespace: str, name: str) -> Body | None:
        try:
            return self._api.get(PODS, namespace, name)
        except AuthError:
            if is_leaving(self._api, namespace):
                return None
            raise
