"""Upstream's route over a real socket, and the hand-over behind it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from fixtures_web import answers_without_delay
from localcontroller.app import create_app
from localcontroller.controller import LocalController
from sedna.common.errors import AuthError, ConflictError, DataError, LinkUnavailableError, StorageFullError
from sedna.core.report import WorkerReport

BODY = {
    "name": "train-worker-ab12c",
    "namespace": "default",
    "ownerName": "pcb",
    "ownerKind": "incrementallearningjob",
    "ownerInfo": {"epoch": 3},
    "kind": "train",
    "status": "completed",
    "results": [{"format": "pb", "url": "/output/train/1/model.pb", "metrics": {"loss": 0.5}}],
}


class Cloud:
    """A sink that answers as it is told, and can be waited for."""

    def __init__(self) -> None:
        self.taken: list[dict[str, object]] = []
        self.errors: list[Exception] = []
        self._changed = threading.Condition()

    def deliver(self, report: WorkerReport) -> None:
        with self._changed:
            if self.errors:
                raise self.errors.pop(0)
            self.taken.append(report.body())
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.taken) >= count, timeout=20)


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


@pytest.fixture
def controller(tmp_path: Path, cloud: Cloud) -> Iterator[LocalController]:
    controller = LocalController(tmp_path, cloud, port=0)
    controller.start()
    yield controller
    controller.stop()


def post(controller: LocalController, worker: str, body: object) -> httpx.Response:
    return httpx.post(f"{controller.url}/sedna/workers/{worker}/info", json=body, timeout=10)


def test_a_report_is_answered_and_handed_over_unchanged(controller: LocalController, cloud: Cloud) -> None:
    response = post(controller, "train-worker-ab12c", BODY)
    assert response.status_code == 200
    assert response.text == '{"Status":200,"Message":"OK"}'
    assert response.headers["content-type"] == "application/json"
    cloud.wait_for(1)
    assert cloud.taken == [BODY]


def test_answers_of_a_kept_connection_are_not_delayed(controller: LocalController) -> None:
    assert answers_without_delay(controller.url, "/healthz")


def test_a_repeated_report_is_answered_but_handed_over_once(controller: LocalController, cloud: Cloud) -> None:
    for _ in range(3):
        assert post(controller, "train-worker-ab12c", BODY).status_code == 200
    post(controller, "last", {"name": "last"})
    cloud.wait_for(2)
    assert [report["name"] for report in cloud.taken] == ["train-worker-ab12c", "last"]


def test_another_name_in_the_body_is_refused_in_the_words_of_upstream(controller: LocalController) -> None:
    response = post(controller, "somebody", BODY)
    assert response.status_code == 400
    assert response.json() == {
        "Status": 400,
        "Message": "worker name(name=somebody) in the api is different from that(name=train-worker-ab12c)"
        " in the message body",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not a worker report"),
        (b"[]", "expected an object, got list"),
        (b'{"name": "w", "results": 3}', "results"),
        (b'{"name": "w", "ownerInfo": {"loss": NaN}}', "NaN is not a JSON number"),
        (b"\xff\xfe", "not a worker report"),
    ],
)
def test_a_broken_body_is_refused(controller: LocalController, cloud: Cloud, content: bytes, said: str) -> None:
    response = httpx.post(f"{controller.url}/sedna/workers/w/info", content=content, timeout=10)
    assert response.status_code == 400
    assert response.json()["Status"] == 400
    assert said in response.json()["Message"]
    assert cloud.taken == []


def test_unknown_kinds_are_taken_as_upstream_does(controller: LocalController, cloud: Cloud) -> None:
    body = {"name": "w", "ownerKind": "somethingelse", "ownerName": "Not A Name"}
    assert post(controller, "w", body).status_code == 200
    cloud.wait_for(1)


def test_reports_wait_while_the_cloud_is_away_and_keep_their_order(controller: LocalController, cloud: Cloud) -> None:
    cloud.errors = [LinkUnavailableError("down"), AuthError("token expired"), RuntimeError("a defect")]
    for name in ("one", "two", "three"):
        assert post(controller, name, {"name": name}).status_code == 200
    cloud.wait_for(3)
    assert [report["name"] for report in cloud.taken] == ["one", "two", "three"]


def test_a_report_refused_for_good_does_not_block_the_others(controller: LocalController, cloud: Cloud) -> None:
    cloud.errors = [DataError("no such job")]
    post(controller, "bad", {"name": "bad"})
    post(controller, "good", {"name": "good"})
    cloud.wait_for(1)
    assert [report["name"] for report in cloud.taken] == ["good"]
    assert httpx.get(f"{controller.url}/healthz", timeout=10).json() == {"status": "ok", "pending_reports": 0}


def test_undelivered_reports_are_handed_over_by_the_next_process(tmp_path: Path) -> None:
    away, back = Cloud(), Cloud()
    away.errors = [LinkUnavailableError("down")] * 50
    first = LocalController(tmp_path, away, port=0)
    first.start()
    assert post(first, "w", {"name": "w", "results": [{"ä": "\u2028"}]}).status_code == 200
    first.stop()
    assert away.taken == []
    second = LocalController(tmp_path, back, port=0)
    second.start()
    back.wait_for(1)
    second.stop()
    assert back.taken == [{"name": "w", "results": [{"ä": "\u2028"}]}]


def test_a_taken_port_is_a_clear_error(tmp_path: Path, cloud: Cloud) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConflictError, match=rf"127\.0\.0\.1:{port}: cannot listen"):
            LocalController(tmp_path, cloud, port=port)


def test_a_huge_report_is_refused_without_reading_it_all(controller: LocalController) -> None:
    sent = 0

    def chunks() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"name": "w", "results": ['
        for _ in range(200):
            sent += 1 << 20
            yield b" " * (1 << 20)

    response = httpx.post(f"{controller.url}/sedna/workers/w/info", content=chunks(), timeout=30)
    assert response.status_code == 413
    assert sent < 150 << 20


def test_json_answers_are_plain(controller: LocalController) -> None:
    assert json.loads(post(controller, "w", {"name": "w"}).content) == {"Status": 200, "Message": "OK"}


def test_a_report_that_cannot_be_kept_is_not_acknowledged() -> None:
    """Upstream's client asks again after a 5xx; a 200 would be the end of the report."""
    kept: list[str] = []
    room = False

    def receive(report: WorkerReport) -> None:
        if not room:
            raise StorageFullError("no space for a worker's report")
        kept.append(report.name)

    with TestClient(create_app(receive, lambda: len(kept))) as client:
        refused = client.post("/sedna/workers/w/info", json={"name": "w"})
        assert (refused.status_code, refused.json()["Status"]) == (503, 503)
        assert "no space" in refused.json()["Message"]
        room = True
        assert client.post("/sedna/workers/w/info", json={"name": "w"}).status_code == 200
    assert kept == ["w"]
