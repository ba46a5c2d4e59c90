"""The Kubernetes API as this service uses it: a narrow seam, so that everything above it is tested against a twin."""

from globalmanager.cluster.api import (
    Body,
    ClusterUnavailableError,
    KubeApi,
    NamespaceTerminatingError,
    QuotaExceededError,
)
from globalmanager.cluster.kinds import Kind

__all__ = ["Body", "ClusterUnavailableError", "Kind", "KubeApi", "NamespaceTerminatingError", "QuotaExceededError"]
