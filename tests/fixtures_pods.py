"""A Pod runtime over the twin of a cluster, and what a node would say of its Pods."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from fixtures_cluster import FakeCluster
from fixtures_orders import Orders
from globalmanager.cluster.api import Body
from globalmanager.cluster.kinds import PODS, SECRETS
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.runtimes.base import WorkerHandle, WorkerSpec, WorkerStatus
from globalmanager.runtimes.kubernetes import PodRuntime
from sedna.common.clock import SettableClock

SETTINGS = KubernetesSettings(namespace="sedna", service_url="http://sedna.sedna:8080", image="sedna-il:1")

UPSTREAM_TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"line": "3"}, "annotations": {"team": "vision"}},
    "spec": {
        "nodeName": "edge1",
        "restartPolicy": "OnFailure",
        "hostNetwork": True,
        "containers": [
            {"name": "train", "image": "img", "args": ["train.py"], "env": [{"name": "batch_size", "value": "32"}]}
        ],
    },
}
"""The pod template of upstream's golden job."""


@dataclass
class PodDesk:
    """Orders, a cluster, and the runtime between them."""

    orders: Orders
    cluster: FakeCluster = field(default_factory=FakeCluster)
    clock: SettableClock = field(default_factory=lambda: SettableClock(datetime(2026, 11, 28, tzinfo=UTC)))

    def __post_init__(self) -> None:
        self.runtime = self.make_runtime()

    def make_runtime(self, settings: KubernetesSettings = SETTINGS) -> PodRuntime:
        """Another one, such as that of the next process."""
        return PodRuntime(self.cluster, self.cluster.view, settings, self.clock)

    def spec(
        self, *, template: Any = UPSTREAM_TEMPLATE, owner_uid: str | None = "u-1", credentials: Any = (), **changes: Any
    ) -> WorkerSpec:
        """What the engine asks for."""
        order = self.orders.make(**({"template": template} | changes))
        return WorkerSpec(order=order, token="secret-token", owner_uid=owner_uid, credentials=credentials)

    def start(self, **changes: Any) -> WorkerHandle:
        """Start a worker of `spec`."""
        return self.runtime.start(self.spec(**changes))

    def pod(self, handle: WorkerHandle) -> Body:
        """Its Pod in the cluster."""
        found = self.cluster.get(PODS, handle.place["namespace"], handle.place["pod"])
        assert found is not None
        return found

    def says(self, handle: WorkerHandle, **status: Any) -> WorkerStatus:
        """What the runtime makes of a status of the Pod."""
        self.cluster.set_status(PODS, handle.place["namespace"], handle.place["pod"], status)
        return self.runtime.observe(handle)

    def secret(self, name: str = "s3", annotations: dict[str, str] | None = None, **data: str) -> None:
        """A Secret as upstream's users write it."""
        meta = {
            "name": name,
            "annotations": {"s3-endpoint": "minio.local:9000", "s3-usehttps": "0"}
            if annotations is None
            else annotations,
        }
        coded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        self.cluster.create(SECRETS, "default", {"metadata": meta, "data": coded})


def running(name: str) -> Body:
    """A container status."""
    return {"name": name, "state": {"running": {"startedAt": "2026-11-28T10:00:00Z"}}}


def ended(name: str, code: int, reason: str | None = None, message: str = "") -> Body:
    """A container status."""
    told = reason or ("Completed" if code == 0 else "Error")
    return {"name": name, "state": {"terminated": {"exitCode": code, "reason": told, "message": message}}}


def waiting(name: str, reason: str, message: str = "", image: str = "img") -> Body:
    """A container status."""
    return {"name": name, "image": image, "state": {"waiting": {"reason": reason, "message": message}}}


def through(program: Body, helper: Body | None = None, phase: str = "Succeeded") -> dict[str, Any]:
    """A Pod's status after its program has ended and the helper has brought everything home."""
    return {"phase": phase, "containerStatuses": [helper or ended("lc", 0), program]}
