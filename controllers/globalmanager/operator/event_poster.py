"""Events on custom resources. The name says what is told, so that the same told twice is one Event that counts."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import OrderedDict
from typing import Final

from globalmanager.cluster.api import Body, ClusterUnavailableError, KubeApi
from globalmanager.cluster.kinds import EVENTS
from globalmanager.operator.story import Told
from sedna.common.clock import Clock
from sedna.common.errors import ConflictError, SednaError

__all__ = ["EventPoster"]

log = logging.getLogger("sedna.globalmanager.operator")

COMPONENT: Final = "sedna"

_COUNTED: Final = 2000
"""Events whose count is known; they live for an hour in the cluster."""


class EventPoster:
    """Posts events. That one cannot be posted is nobody's trouble, unless the API server is away."""

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api, self._clock = api, clock
        self._counts: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def post(self, about: Body, told: Told) -> None:
        """Say it about an object.

        Raises:
            ClusterUnavailableError: not now.
        """
        meta = about["metadata"]
        digest = hashlib.sha256(f"{meta['uid']}\n{told.reason}\n{told.message}".encode()).hexdigest()[:16]
        name = f"{meta['name'][:230].rstrip('.-')}.{digest}"
        count = self._count(f"{meta['namespace']}/{name}")
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            try:
                self._api.create(EVENTS, meta["namespace"], _event(about, told, name, now))
            except ConflictError:
                seen = {"count": count, "lastTimestamp": now} if count > 1 else {"lastTimestamp": now}
                self._api.merge(EVENTS, meta["namespace"], name, seen)
        except ClusterUnavailableError:
            raise
        except SednaError as error:  # a namespace on its way out, a right that is not given
            log.info("the event %s about %s/%s is not posted: %s", told.reason, meta["namespace"], meta["name"], error)

    def _count(self, name: str) -> int:
        with self._lock:
            count = self._counts.pop(name, 0) + 1
            self._counts[name] = count
            while len(self._counts) > _COUNTED:
                self._counts.popitem(last=False)
            return count


def _event(about: Body, told: Told, name: str, now: str) -> Body:
    meta = about["metadata"]
    return {
        "metadata": {"name": name, "namespace": meta["namespace"]},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        },
        "type": told.type,
        "reason": told.reason,
        "message": told.message[:1024],
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
        "source": {"component": COMPONENT},
        "reportingComponent": f"sedna.io/{COMPONENT}",
        "reportingInstance": COMPONENT,
    }
