"""Under a flood: what is answered, what is turned away, and that neither waits for the other."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest

from fixtures_api import ADMIN, Api, png
from globalmanager.api.app import create_app
from globalmanager.api.health_lane import ReadinessLane
from globalmanager.api.middleware.authenticate import Authenticator
from globalmanager.api.middleware.shed import BusyError, Lane, Lanes
from globalmanager.api.schemas import Readiness
from globalmanager.auth.principal import Principal
from sedna.store import FolderStore, ObjectInfo

LISTS, WAITING = 4, 32


@dataclass
class SlowForAdmins:
    """Knows who has a token, but looks admins up only when the test lets it."""

    behind: Authenticator
    go_on: threading.Event = field(default_factory=threading.Event)

    def authenticate(self, token: str) -> Principal:
        if token == ADMIN:
            assert self.go_on.wait(60)
        return self.behind.authenticate(token)


class HangingStore(FolderStore):
    """A folder that does not answer while the test says so."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.go_on = threading.Event()
        self.go_on.set()
        self.looks = 0

    def stat(self, key: str) -> ObjectInfo | None:
        self.looks += 1
        assert self.go_on.wait(60)
        return super().stat(key)


def ask(api: Api, work: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    """Do this with a client of the application, in an event loop."""

    async def run() -> None:
        transport = httpx.ASGITransport(create_app(api.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=None) as client:
            await work(client)

    asyncio.run(run())


def test_of_500_lists_at_once_some_are_answered_and_health_and_edges_wait_for_none(api: Api) -> None:
    api.apply()
    for colour in range(3):
        assert api.put_sample(png(colour)).status_code == 201
    slow = SlowForAdmins(api.services.authenticator)
    settings = api.services.settings.model_copy(update={"health_seconds": 60.0})
    api.services = replace(api.services, authenticator=slow, settings=settings)

    async def flood(client: httpx.AsyncClient) -> None:
        path = "/api/v1/jobs/default/pcb/samples?limit=1000"
        pending = {asyncio.create_task(client.get(path, headers=api.admin)) for _ in range(500)}
        refused: set[asyncio.Task[httpx.Response]] = set()
        while len(refused) < 500 - LISTS - WAITING:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        assert {task.result().status_code for task in refused} == {503}
        answer = next(iter(refused)).result()
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["x-request-id"]
        assert answer.json()["type"] == "urn:sedna:problem:busy"
        assert answer.json()["detail"] == "36 lists run or wait"
        # All the others are stuck, and will be until the end of this test.
        assert (await client.get("/readyz")).json()["checks"]["database"] == "no engine holds the lease"
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        assert (await client.get("/api/v1/edges/line-1", headers=api.edge)).status_code == 200
        slow.go_on.set()
        answers = await asyncio.gather(*pending)
        assert [len(answer.json()["items"]) for answer in answers] == [3] * (LISTS + WAITING)
        assert (await client.get(path, headers=api.admin)).status_code == 200

    ask(api, flood)


def test_an_upload_that_finds_no_place_is_closed_before_its_body(api: Api) -> None:
    slow = SlowForAdmins(api.services.authenticator)
    settings = api.services.settings.model_copy(update={"requests": 1})
    api.services = replace(api.services, authenticator=slow, settings=settings)

    async def two(client: httpx.AsyncClient) -> None:
        first = asyncio.create_task(client.post("/api/v1/edges", json={"name": "line-3"}, headers=api.admin))
        await asyncio.sleep(0)
        while not first.done():
            second = await client.post("/api/v1/edges", json={"name": "line-4"}, headers=api.edge)
            if second.status_code == 503:
                break
        assert second.headers["connection"] == "close"
        slow.go_on.set()
        assert (await first).status_code == 201

    ask(api, two)


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("GET", "/api/v1/jobs/default/pcb/samples", "lists"),
        ("GET", "/api/v1/jobs", "lists"),
        ("GET", "/api/v1/jobs/default/pcb", "requests"),
        ("GET", f"/api/v1/jobs/default/pcb/samples/{'a' * 64}/image", "requests"),
        ("GET", "/api/v1/events", "event streams"),
        ("GET", "/api/v1/jobs/default/pcb/events", "event streams"),
        ("POST", "/api/v1/edges", "requests"),
        ("GET", "/metrics", "collections of metrics"),
        ("GET", f"/api/v1/jobs/default/pcb/samples/{'a' * 64}/thumbnail", "small pictures"),
        ("GET", f"/api/v1/jobs/default/pcb/samples/{'a' * 64}/drawing", "small pictures"),
        ("GET", "/api/v1/jobs/default/pcb/labels:export", "exports of labels"),
    ],
)
def test_each_kind_has_its_lane(method: str, path: str, lane: str) -> None:
    lanes = Lanes(lists=1, lists_waiting=0, streams=1, pictures_waiting=0, exports=1, requests=1)

    async def fill() -> None:
        found = lanes.of(method, path)
        waiting = [asyncio.ensure_future(found.enter()) for _ in range(12)]
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_EXCEPTION)
        assert any(lane in str(task.exception()) for task in done if task.exception())
        for task in pending:
            task.cancel()

    asyncio.run(fill())


def test_a_lane_is_first_come_first_served_and_who_gives_up_leaves_his_place() -> None:
    async def come() -> None:
        lane, order = Lane("things", 1, 2), []

        async def enter(name: str) -> None:
            await lane.enter()
            order.append(name)

        await enter("a")
        b, c = asyncio.create_task(enter("b")), asyncio.create_task(enter("c"))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await lane.enter()
        b.cancel()
        await asyncio.wait([b])
        d = asyncio.create_task(enter("d"))
        await asyncio.sleep(0)
        lane.leave()
        await c
        lane.leave()
        await d
        assert order == ["a", "c", "d"]

    asyncio.run(come())


def test_readiness_does_not_wait_for_a_store_that_hangs(api: Api, tmp_path: Path) -> None:
    store, now = HangingStore(tmp_path / "store"), [0.0]
    settings = api.services.settings.model_copy(update={"health_seconds": 60.0})
    patient = replace(api.services, store=store, settings=settings)
    hurried = replace(patient, settings=settings.model_copy(update={"health_seconds": 0.01}))
    lane = ReadinessLane(patient, lambda: now[0])

    async def look() -> None:
        good = await lane.ask(store=True)
        assert good.checks["store"] == "ok"
        store.go_on.clear()
        before = store.looks
        lane._services = hurried
        assert await lane.ask(store=True) == good
        now[0] += 11
        late = await asyncio.gather(*(lane.ask(store=True) for _ in range(20)))
        gave_up = Readiness(ready=False, checks={"health": "the checks have not ended within 0.01 s"})
        assert late == [gave_up] * 20
        assert store.looks == before + 1, "one look, however many ask"
        lane._services = patient
        assert "store" not in (await lane.ask(store=False)).checks
        store.go_on.set()
        assert await lane.ask(store=True) == good

    asyncio.run(look())
