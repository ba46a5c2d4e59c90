"""A cluster as the parts of the service get it."""

from __future__ import annotations

from dataclasses import dataclass

from globalmanager.cluster.api import ClusterView, KubeApi
from globalmanager.cluster.settings import KubernetesSettings

__all__ = ["Cluster"]


@dataclass(frozen=True)
class Cluster:
    """Requests, the watch, and what the service was told of the cluster."""

    api: KubeApi
    view: ClusterView
    settings: KubernetesSettings
