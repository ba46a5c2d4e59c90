"""What only a real server shows: streams, connections, large bodies, and the edge's own client."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from fixtures_api import ADMIN, EDGE, Api, png, sample_record
from fixtures_service import eventually
from globalmanager.api.app import create_app
from globalmanager.db import events, jobs, models, workers
from localcontroller import HttpReportSink, LocalController, WorkerReport
from localcontroller.http_server import ThreadedServer
from sedna.common.errors import AuthError, DataError, LinkUnavailableError, NotFoundError
from sedna.common.types import JobKey, SampleRecord
from sedna.edge.http_link import HttpEdgeLink
from sedna.edge.protocol import EdgeHeartbeat
from sedna.loop.state import Stage
from sedna.store.models import describe_model, fetch_model_over, publish_model

JOB = JobKey(name="pcb")


@pytest.fixture
def server(api: Api) -> Iterator[ThreadedServer]:
    server = ThreadedServer(create_app(api.services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    yield server
    api.services.stopping.set()
    server.stop()


def test_the_edges_own_client_works_against_these_routes(api: Api, server: ThreadedServer, tmp_path: Path) -> None:
    api.apply()
    source = tmp_path / "model"
    source.mkdir()
    (source / "model.onnx").write_bytes(b"w" * 3_000_000)
    created_at = datetime(2026, 1, 1, tzinfo=UTC)
    made = describe_model(JOB, 1, algorithm="FPN", runtime="onnx", format="onnx", created_at=created_at)
    manifest = publish_model(api.store, source, made)
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        models.insert(session, job.id, manifest, entry="", now=api.clock.now())
        jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"champion": 1}))
    link = HttpEdgeLink(server.url, EDGE)
    try:
        desired = link.heartbeat(EdgeHeartbeat(edge="line-1", software="t", at=datetime(2026, 1, 1, tzinfo=UTC)))
        assert desired.jobs[0].model_version == 1
        assert link.model_manifest(JOB, 1) == manifest
        folder = fetch_model_over(lambda name: link.open_model_file(JOB, 1, name), manifest, tmp_path / "fetched")
        assert (folder / "model.onnx").read_bytes() == b"w" * 3_000_000

        image = tmp_path / "image.png"
        image.write_bytes(png())
        record = SampleRecord.model_validate(sample_record(png()))
        assert link.put_sample(record, image) is True
        assert link.put_sample(record, image) is False
        with pytest.raises(DataError, match="33 x 24"):
            link.put_sample(record.model_copy(update={"width": 33}), image)
        with pytest.raises(AuthError, match="line-2"):
            link.put_sample(record.model_copy(update={"edge": "line-2"}), image)
        with pytest.raises(NotFoundError):
            link.model_manifest(JOB, 9)
    finally:
        link.close()


def test_a_local_controller_hands_reports_over(api: Api, server: ThreadedServer, tmp_path: Path) -> None:
    """A worker's report, through upstream's route and the outbox, over HTTP to the global manager."""
    api.apply()
    with api.services.db.write() as session:
        job = jobs.get(session, JOB)
        workers.ensure(session, job.id, 1, Stage.TRAINING, 1, name="train-worker-1", handle={}, now=api.clock.now())
    sink = HttpReportSink(server.url, lambda: ADMIN)
    controller = LocalController(tmp_path / "lc", sink, port=0)
    controller.start()
    body = {
        "name": "train-worker-1", "namespace": "default", "ownerName": "pcb", "ownerKind": "incrementallearningjob",
        "kind": "train", "status": "completed", "results": [{"format": "pb", "url": "/m.pb", "metrics": None}],
    }  # fmt: skip
    try:
        for report in ({"name": "who"}, body):  # the first lacks what the engine needs: refused, and out of the way
            url = f"{controller.url}/sedna/workers/{report['name']}/info"
            assert httpx.post(url, json=report, timeout=10).json() == {"Status": 200, "Message": "OK"}
        eventually(lambda: httpx.get(f"{controller.url}/healthz", timeout=10).json()["pending_reports"] == 0)
    finally:
        controller.stop()
        sink.close()
    with api.services.db.read() as session:
        row = workers.by_name(session, "train-worker-1")
    assert row is not None
    assert row.report is not None
    assert row.report["results"] == body["results"]


def test_the_sink_tells_later_from_never(api: Api, server: ThreadedServer) -> None:
    wrong = HttpReportSink(server.url, lambda: "wrong")
    with pytest.raises(AuthError):
        wrong.deliver(WorkerReport(name="w", kind="train", status="completed"))
    wrong.close()
    edge = HttpReportSink(server.url, lambda: EDGE)
    with pytest.raises(DataError, match="403"):  # it must not keep the reports behind it waiting
        edge.deliver(WorkerReport(name="w", kind="train", status="completed"))
    edge.deliver(WorkerReport(name="w", kind="deploy", status="completed"))
    edge.close()
    sink = HttpReportSink(server.url, lambda: ADMIN)
    with pytest.raises(DataError, match="422"):
        sink.deliver(WorkerReport(name="w"))
    server.stop()
    with pytest.raises(LinkUnavailableError):
        sink.deliver(WorkerReport(name="w", kind="train", status="completed"))
    sink.close()


class Hose:
    """A body that counts how much of it was taken."""

    def __init__(self, megabytes: int, start: bytes = b"") -> None:
        self.megabytes = megabytes
        self.start = start
        self.sent = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self.start
        for _ in range(self.megabytes):
            self.sent += 1
            yield b"\0" * (1 << 20)


@pytest.mark.parametrize(
    ("path", "method", "declared"),
    [
        (f"jobs/default/pcb/samples/{'a' * 64}", "PUT", True),
        (f"jobs/default/pcb/samples/{'a' * 64}", "PUT", False),
        ("resources", "POST", False),
        ("edges", "POST", False),
    ],
)
def test_a_hundred_megabytes_are_refused_without_reading_them(
    api: Api, server: ThreadedServer, path: str, method: str, declared: bool
) -> None:
    hose = Hose(100, b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n')
    media_type = "multipart/form-data; boundary=b" if method == "PUT" else "application/json"
    headers = {**api.admin, "Content-Type": media_type, **({"Content-Length": str(100 << 20)} if declared else {})}
    response = httpx.request(method, f"{server.url}/api/v1/{path}", content=hose, headers=headers, timeout=30)
    assert response.status_code == 413
    assert response.headers["connection"] == "close"
    assert "at most" in response.json()["hint"]
    assert hose.sent < 30, "kernel buffers take some; the service must not take the rest"


def test_without_a_token_no_body_is_read(server: ThreadedServer) -> None:
    hose = Hose(100)
    url = f"{server.url}/api/v1/resources"
    response = httpx.post(url, content=hose, headers={"Content-Type": "application/json"}, timeout=30)
    assert response.status_code == 401
    assert hose.sent < 30


def add_event(api: Api, text: str) -> None:
    with api.services.db.write() as session:
        events.add(session, None, "Test", text, api.clock.now())


def read_events(api: Api, url: str, count: int, headers: dict[str, str] | None = None) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    with httpx.stream("GET", url, headers={**api.admin, **(headers or {})}, timeout=10) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        event_id = ""
        for line in response.iter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            if line.startswith("data: "):
                found.append((event_id, line))
                if len(found) == count:
                    break
    return found


def test_events_come_as_they_happen_and_go_on_after_the_last_seen(api: Api, server: ThreadedServer) -> None:
    for text in ("one", "two", "three"):
        add_event(api, text)
    url = f"{server.url}/api/v1/events"
    old = read_events(api, f"{url}?after=0", 3)
    assert [line[-1] for _, line in old] == ["}"] * 3
    assert ["one" in old[0][1], "three" in old[2][1]] == [True, True]
    rest = read_events(api, url, 2, {"Last-Event-ID": old[0][0]})
    assert rest == old[1:]

    seen = threading.Event()

    def happen() -> None:
        """Again and again: when the stream is open, and shows what comes from then on, nobody can know."""
        while not seen.wait(0.1):
            add_event(api, "later")

    happening = threading.Thread(target=happen)
    happening.start()
    try:
        (late,) = read_events(api, url, 1)
    finally:
        seen.set()
        happening.join()
    assert "later" in late[1]
    response = httpx.get(url, headers={**api.admin, "Last-Event-ID": "x"}, timeout=10)
    assert response.status_code == 422
    assert response.json()["where"] == "Last-Event-ID"


def test_a_stream_ends_when_there_is_no_more_and_when_the_service_stops(api: Api, server: ThreadedServer) -> None:
    add_event(api, "one")
    url = f"{server.url}/api/v1/events"
    text = httpx.get(f"{url}?after=0&follow=false", headers=api.admin, timeout=10).text
    assert text.count("data: ") == 1
    stop = threading.Timer(0.3, api.services.stopping.set)
    stop.start()
    assert "data: " not in httpx.get(url, headers=api.admin, timeout=10).text
    stop.join()


def test_a_jobs_stream_has_its_own_events_only(api: Api, server: ThreadedServer) -> None:
    add_event(api, "of nobody")
    api.apply()
    url = f"{server.url}/api/v1/jobs/default/pcb/events?after=0&follow=false"
    text = httpx.get(url, headers=api.admin, timeout=10).text
    assert "of nobody" not in text
    assert '"name":"pcb"' in text


def test_a_quiet_stream_is_kept_alive_by_comments(api: Api) -> None:
    quick = api.services.settings.model_copy(update={"sse_heartbeat_seconds": 0.05})
    object.__setattr__(api.services, "settings", quick)
    server = ThreadedServer(create_app(api.services), "127.0.0.1", 0, name="test", grace_seconds=5)
    server.start()
    try:
        with httpx.stream("GET", f"{server.url}/api/v1/events", headers=api.admin, timeout=10) as response:
            comment = next(line for line in response.iter_lines() if line.startswith(":"))
        assert comment == ": alive"
    finally:
        api.services.stopping.set()
        server.stop()


def test_a_stopped_service_is_a_link_error_for_edges(api: Api, server: ThreadedServer) -> None:
    link = HttpEdgeLink(server.url, EDGE)
    server.stop()
    with pytest.raises(LinkUnavailableError):
        link.heartbeat(EdgeHeartbeat(edge="line-1", software="t", at=datetime(2026, 1, 1, tzinfo=UTC)))
    link.close()
