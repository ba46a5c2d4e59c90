"""Several services on one PostgreSQL and one store, each a process with a data folder of its own."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from e2e.house import House, Service
from fixtures_service import Boards, eventually


class Replicas:
    """Services of a house that share database and store."""

    def __init__(self, house: House, db_url: str, store: str, lease_seconds: float) -> None:
        self.house = house
        self.boards = Boards(house.folder / "boards")
        house.environment |= {
            "SEDNA__DB_URL": db_url,
            "SEDNA__DB__CONNECT_SECONDS": "2",
            "SEDNA__STORE_URL": store,
            "SEDNA__ENGINE__STANDBY": "true",
            "SEDNA__ENGINE__LEASE_SECONDS": str(lease_seconds),
            "SEDNA__ADMIN_TOKEN": secrets.token_urlsafe(32),
        }

    def apply(self, **parameters: Any) -> None:
        """A job over the boards whose training waits for the file ``go``."""
        described = self.house.folder / "job.yaml"
        described.write_text(self.boards.job(wait_for=str(self.boards.go), **parameters))
        self.house.cli("job", "apply", "-f", str(described))

    def train(self) -> None:
        """Ask for a round."""
        self.house.cli("trigger", "pcb", "train", "--reason", "e2e")


def drives(service: Service) -> bool | None:
    """Whether a service drives the jobs; None where it does not answer."""
    try:
        text = httpx.get(f"{service.url}/metrics", timeout=5).text
    except httpx.HTTPError:
        return None
    return "sedna_engine_up 1.0" in text


def is_ready(service: Service) -> bool:
    """Whether a load balancer would send requests there."""
    return httpx.get(f"{service.url}/readyz", timeout=20).status_code == 200


def rounds(service: Service) -> list[tuple[int, str]]:
    """The finished rounds of the job, with how each went; none while the database is away."""
    answer = service.call("GET", "jobs/default/pcb")
    return [(entry["id"], entry["outcome"]) for entry in answer.json()["state"]["history"]] if answer.is_success else []


def check_samples(service: Service, used_in: int) -> None:
    """Every board of the job is there once and was learned from once."""
    found = service.samples()
    assert len({row["record"]["sample_id"] for row in found}) == len(found) == 8
    assert [row["round_used"] for row in found] == [used_in] * 8


def events(service: Service, kind: str) -> list[dict[str, Any]]:
    """The events of a kind, the oldest first."""
    import json

    text = service.call("GET", "events?after=0&follow=false").text
    found = [json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")]
    return [event for event in found if event["kind"] == kind]


@contextmanager
def never_two(*services: Service) -> Iterator[list[tuple[bool | None, ...]]]:
    """While the block runs, at every look at most one of the services drives; what was seen."""
    seen: list[tuple[bool | None, ...]] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            seen.append(tuple(drives(service) for service in services))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()
    assert seen
    assert all(look.count(True) <= 1 for look in seen), seen


def seconds_until_it_drives(service: Service, limit: float = 60.0) -> float:
    """How long a service takes to take over from now."""
    started = time.monotonic()
    eventually(lambda: drives(service), limit)
    return time.monotonic() - started


def store_folder(house: House) -> str:
    """A folder that all services of the machine see."""
    folder: Path = house.folder / "store"
    return str(folder)
