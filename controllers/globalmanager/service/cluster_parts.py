"""The parts of a service that works in a cluster; without the settings for it none of them is imported."""

from __future__ import annotations

from globalmanager.api.services import ClusterHealth
from globalmanager.cluster.client import KubernetesApi
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.credentials import SecretCredentials
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.cluster.watch import ClusterWatch
from globalmanager.db import Database
from globalmanager.engine import Engine
from globalmanager.operator.operator import Operator
from globalmanager.operator.releaser import Releaser
from globalmanager.runtimes.kubernetes import PodRuntime
from globalmanager.runtimes.kubernetes.door import PodDoor
from sedna.common.clock import Clock

__all__ = ["ClusterParts"]


class ClusterParts:
    """API server, watch, and what stands on them. Every replica has one; only the engine's leader writes.

    Raises:
        SpecError: there is no way to an API server.
    """

    def __init__(self, settings: KubernetesSettings, clock: Clock) -> None:
        self._settings, self._clock = settings, clock
        self.api = KubernetesApi.connect(settings.kubeconfig, context=settings.context)
        self.watch = ClusterWatch(self.api, self.api.connection, namespaces=settings.watch_namespaces, clock=clock)
        self.connection = Cluster(self.api, self.watch, settings)
        self.credentials = SecretCredentials(self.api)
        pods = settings.runtime == "pods"
        self.runtime = PodRuntime(self.api, self.watch, settings, clock) if pods else None
        self.door = PodDoor(self.api, self.watch, settings.audience) if pods else None
        self.operator: Operator | None = None
        self._releaser: Releaser | None = None

    def operate(self, db: Database, engine: Engine, live_seconds: float) -> None:
        """Make the operator, where custom resources are jobs of this service, or what frees those that were.

        It begins with `start`.
        """
        if self._settings.operator:
            self.operator = Operator(
                self.api, self.watch, db, engine, self._clock, self._settings, live_seconds=live_seconds
            )
        else:
            self._releaser = Releaser(self.api, self.watch, engine, self._settings.owner)

    @property
    def health(self) -> ClusterHealth:
        """How watch and operator are."""
        operator, watch = self.operator, self.watch
        return ClusterHealth(
            watch_age_seconds=watch.age_s,
            watch_restarts=watch.restarts,
            synced=watch.synced,
            reconciles={} if operator is None else dict(operator.reconciles),
            waiting=0 if operator is None else operator.waiting,
            failing=0 if operator is None else operator.failing,
        )

    def start(self) -> None:
        """Begin to watch. The operator works as soon as the engine drives the jobs."""
        self.watch.start()
        for part in (self.operator, self._releaser):
            if part is not None:
                part.start()

    def fault(self) -> str | None:
        """Why the service cannot go on, or None."""
        if any(part is not None and not part.is_alive for part in (self.operator, self._releaser)):
            return "the operator has stopped; the log says why"
        return None if self.watch.is_alive else "the watch over the cluster has stopped; the log says why"

    def stop_operator(self) -> None:
        """Finish what it is at: before the engine ends, whose jobs it drives."""
        for part in (self.operator, self._releaser):
            if part is not None:
                part.stop()

    def close(self) -> None:
        """End operator and watch, give back connections."""
        self.stop_operator()
        self.watch.stop()
        self.api.close()
