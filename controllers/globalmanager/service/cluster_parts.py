"""The parts of a service that works in a cluster; without the settings for it none of them is imported."""

from __future__ import annotations

from globalmanager.cluster.client import KubernetesApi
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.credentials import SecretCredentials
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.cluster.watch import ClusterWatch
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
        self.api = KubernetesApi.connect(settings.kubeconfig, context=settings.context)
        self.watch = ClusterWatch(self.api, self.api.connection, namespaces=settings.watch_namespaces, clock=clock)
        self.connection = Cluster(self.api, self.watch, settings)
        self.credentials = SecretCredentials(self.api)
        pods = settings.runtime == "pods"
        self.runtime = PodRuntime(self.api, self.watch, settings, clock) if pods else None
        self.door = PodDoor(self.api, self.watch, settings.audience) if pods else None

    def start(self) -> None:
        """Begin to watch."""
        self.watch.start()

    def fault(self) -> str | None:
        """Why the service cannot go on, or None."""
        return None if self.watch.is_alive else "the watch over the cluster has stopped; the log says why"

    def close(self) -> None:
        """End the watch, give back connections."""
        self.watch.stop()
        self.api.close()
