"""Namespaces that go: the rights of this service in them go first, where they were given there."""

from __future__ import annotations

from globalmanager.cluster.api import KubeApi
from globalmanager.cluster.kinds import NAMESPACES
from sedna.common.errors import AuthError

__all__ = ["is_leaving"]


def is_leaving(api: KubeApi, namespace: str) -> bool:
    """Whether a namespace is gone or being deleted, with all that is in it. False where that may not be asked.

    For use after a refusal: whoever may still look at the objects themselves need not ask.

    Raises:
        ClusterUnavailableError: no answer.
    """
    try:
        found = api.get(NAMESPACES, None, namespace)
    except AuthError:
        return False
    return found is None or "deletionTimestamp" in found["metadata"]
