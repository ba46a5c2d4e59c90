"""A service with a cluster, and one attempt of a worker whose Pod is there."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fixtures_api import Api
from fixtures_orders import JOB, Orders
from fixtures_pods import PodDesk
from globalmanager.api.app import create_app
from globalmanager.api.services import ApiServices
from globalmanager.cluster.kinds import PODS
from globalmanager.db import jobs, workers
from globalmanager.runtimes.base import WorkerHandle
from globalmanager.runtimes.kubernetes.door import PodDoor
from localcontroller.http_server import ThreadedServer
from sedna.core.staging import ServiceLink, WorkOrder
from sedna.core.staging.identity import PodToken
from sedna.loop.observation import WorkerPhase
from sedna.loop.state import Stage

TEMPLATE = {"spec": {"containers": [{"name": "train", "image": "img"}]}}


@dataclass
class Place:
    """A service with a cluster, and one attempt whose Pod is there."""

    api: Api
    desk: PodDesk
    services: ApiServices
    server: ThreadedServer
    order: WorkOrder
    handle: WorkerHandle
    folder: Path
    links: list[ServiceLink] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        return self.folder / "token"

    def link(self) -> ServiceLink:
        token = PodToken(lambda: self.server.url, self.identity)
        self.links.append(ServiceLink(lambda: self.server.url, token, longest_wait=0.2))
        return self.links[-1]

    def says(self, **status: Any) -> None:
        self.desk.cluster.set_status(PODS, "default", self.handle.place["pod"], status)

    def end_attempt(self) -> None:
        with self.services.db.write() as session:
            row = workers.by_name(session, self.order.worker)
            assert row is not None
            workers.ended(
                session, row.id, phase=WorkerPhase.FAILED, exit_code=None, error="lost", retryable=True, usage=None,
                now=self.api.clock.now(),
            )  # fmt: skip


@pytest.fixture
def place(api: Api, tmp_path: Path) -> Iterator[Place]:
    api.apply()
    desk = PodDesk(Orders(tmp_path))
    order = desk.orders.make(template=TEMPLATE)
    handle = desk.start(template=TEMPLATE)
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        row = workers.ensure(
            session, job.id, 1, Stage.TRAINING, 1, name=order.worker, handle=handle.place, champion=1,
            now=api.clock.now(),
        )  # fmt: skip
        workers.started(session, row.id)
    door = PodDoor(desk.cluster, desk.cluster.view, "sedna")
    services = dataclasses.replace(api.services, pods=door)
    server = ThreadedServer(create_app(services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    made = Place(api, desk, services, server, order, handle, tmp_path)
    made.identity.write_text("projected\n")
    desk.cluster.tokens["projected"] = (
        "default", "default", handle.place["pod"], desk.pod(handle)["metadata"]["uid"],
    )  # fmt: skip
    yield made
    for link in made.links:
        link.close()
    services.stopping.set()
    server.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
