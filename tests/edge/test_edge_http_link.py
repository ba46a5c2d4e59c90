"""The HTTP link against a real local server whose answers the test scripts."""

import email
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edge.edge_twins import JOB, png, record_of
from sedna.common.errors import (
    AuthError,
    ConflictError,
    DataError,
    LinkUnavailableError,
    NotFoundError,
    SednaError,
    SpecError,
    TooLargeError,
    UserError,
)
from sedna.common.types import JobKey
from sedna.edge.http_link import HttpEdgeLink
from sedna.edge.protocol import DesiredJob, DesiredMiner, EdgeDesired, EdgeHeartbeat

NOW = "2026-01-01T00:00:00Z"
BEAT = EdgeHeartbeat(edge="edge-1", software="test", at=NOW)


class Cloud:
    """Answers every request with what ``answer`` says and remembers what it saw."""

    def __init__(self):
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answer = lambda path: (200, "application/json", b"{}", {})
        cloud = self

        class Handler(BaseHTTPRequestHandler):
            def handle_all(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Transfer-Encoding") == "chunked":
                    raise AssertionError("uploads should state their length")
                cloud.seen.append((self.command, self.path, dict(self.headers), body))
                status, kind, data, headers = cloud.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self):
                self.handle_all()

            def do_PUT(self):
                self.handle_all()

            def do_POST(self):
                self.handle_all()

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def cloud():
    cloud = Cloud()
    yield cloud
    cloud.close()


@pytest.fixture
def link(cloud):
    link = HttpEdgeLink(cloud.url, "secret")
    yield link
    link.close()


@pytest.fixture
def image(tmp_path) -> Path:
    path = tmp_path / "image.png"
    path.write_bytes(png())
    return path


def test_heartbeat(cloud, link):
    answer = EdgeDesired(at=NOW, heartbeat_seconds=3.0)
    cloud.answer = lambda path: (200, "application/json", answer.model_dump_json().encode(), {})
    assert link.heartbeat(BEAT) == answer
    method, path, headers, body = cloud.seen[0]
    assert (method, path) == ("POST", "/api/v1/edges/edge-1/heartbeat")
    assert headers["Authorization"] == "Bearer secret"
    assert EdgeHeartbeat.model_validate_json(body) == BEAT


def test_keys_of_a_newer_cloud_are_ignored(cloud, link):
    body = json.dumps({"at": NOW, "jobs": [], "heartbeat_seconds": 2.0, "colour": "blue"}).encode()
    cloud.answer = lambda path: (200, "application/json", body, {})
    assert link.heartbeat(BEAT).heartbeat_seconds == 2.0


@pytest.mark.parametrize("upload", [True, False])
def test_keys_of_an_older_cloud_are_ignored(cloud, link, upload):
    """``upload`` was said of every job, always true; an edge that knew it takes its absence for true."""
    job = {"job": {"namespace": "default", "name": "pcb"}, "miner": {"name": "IBT"}, "upload": upload}
    body = json.dumps({"at": NOW, "jobs": [job]}).encode()
    cloud.answer = lambda path: (200, "application/json", body, {})
    (desired,) = link.heartbeat(BEAT).jobs
    assert desired == DesiredJob(job=JobKey(name="pcb"), miner=DesiredMiner(name="IBT"))
    assert "upload" not in desired.model_dump()


def test_put_sample_sends_record_and_bytes(cloud, link, image):
    record = record_of(png(), job=JobKey(namespace="lab", name="pcb"))
    cloud.answer = lambda path: (201, "application/json", b"{}", {})
    assert link.put_sample(record, image) is True
    cloud.answer = lambda path: (200, "application/json", b"{}", {})
    assert link.put_sample(record, image) is False
    method, path, headers, body = cloud.seen[0]
    assert (method, path) == ("PUT", f"/api/v1/jobs/lab/pcb/samples/{record.sample_id}")
    message = email.message_from_bytes(b"Content-Type: " + headers["Content-Type"].encode() + b"\r\n\r\n" + body)
    parts = {part.get_param("name", header="Content-Disposition"): part for part in message.get_payload()}
    assert type(record).model_validate_json(parts["record"].get_payload(decode=True)) == record
    assert parts["image"].get_payload(decode=True) == png()


PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (400, PROBLEM, DataError),
        (401, PROBLEM, AuthError),
        (403, "text/html", AuthError),
        (404, PROBLEM, NotFoundError),
        (405, PROBLEM, UserError),
        (409, PROBLEM, ConflictError),
        (413, PROBLEM, TooLargeError),
        (413, "text/html", LinkUnavailableError),
        (422, PROBLEM, DataError),
        (404, "text/html", LinkUnavailableError),
        (429, PROBLEM, LinkUnavailableError),
        (500, PROBLEM, LinkUnavailableError),
        (502, "text/html", LinkUnavailableError),
        (507, PROBLEM, LinkUnavailableError),
        (302, "text/html", LinkUnavailableError),
    ],
)
def test_answers_become_errors(cloud, link, image, status, kind, error):
    problem = {"title": "Nope", "detail": "job is gone", "where": "default/pcb", "hint": "apply it again"}
    body = json.dumps(problem).encode() if kind == PROBLEM else b"<html>"
    cloud.answer = lambda path: (status, kind, body, {"Location": "/elsewhere"} if status == 302 else {})
    with pytest.raises(error) as caught:
        link.put_sample(record_of(png()), image)
    assert type(caught.value) is error
    assert str(status) in caught.value.message
    if kind == PROBLEM:
        assert "job is gone" in str(caught.value)
        assert caught.value.where == "default/pcb"
        assert caught.value.hint == "apply it again"


def test_forbidden_is_told_from_unknown(cloud, link, image):
    cloud.answer = lambda path: (403, PROBLEM, b"{}", {})
    with pytest.raises(AuthError) as caught:
        link.put_sample(record_of(png()), image)
    assert caught.value.forbidden


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("99999999", 3600.0), ("Wed, 21 Oct 2026", 30.0)])
def test_retry_after(cloud, link, header, seconds):
    cloud.answer = lambda path: (503, PROBLEM, b"{}", {"Retry-After": header})
    with pytest.raises(LinkUnavailableError) as caught:
        link.heartbeat(BEAT)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("kind", "body"), [("text/html", b"<html>Log in to the hotel</html>"), ("text/plain", b"ok"), ("", b"")]
)
def test_a_captive_portal_does_not_count_as_stored(cloud, link, image, kind, body):
    cloud.answer = lambda path: (200, kind, body, {})
    with pytest.raises(LinkUnavailableError, match="some other server"):
        link.put_sample(record_of(png()), image)


def test_an_answer_of_another_shape(cloud, link):
    cloud.answer = lambda path: (200, "application/json", b'{"at": "never"}', {})
    with pytest.raises(LinkUnavailableError, match="not a EdgeDesired"):
        link.heartbeat(BEAT)


def test_nobody_there(image):
    link = HttpEdgeLink("http://127.0.0.1:9", "secret")
    with pytest.raises(LinkUnavailableError):
        link.put_sample(record_of(png()), image)
    link.close()


@pytest.mark.parametrize("url", ["", "cloud:80", "ftp://cloud", "http://"])
def test_addresses_that_are_none(url):
    with pytest.raises(SpecError, match="not a service address"):
        HttpEdgeLink(url, "secret")


def test_model_files_are_streamed(cloud, link):
    data = bytes(range(256)) * 5000
    cloud.answer = lambda path: (200, "application/octet-stream", data, {})
    with link.open_model_file(JOB, 3, "sub dir/model.onnx") as file:
        assert file.read(10) == data[:10]
        assert file.read() == data[10:]
    assert cloud.seen[0][1] == "/api/v1/jobs/default/pcb/models/3/files/sub%20dir%2Fmodel.onnx"


def test_the_token_does_not_follow_to_another_host(cloud, link):
    other = Cloud()
    try:
        other.answer = lambda path: (200, "application/octet-stream", b"weights", {})
        target = other.url.replace("127.0.0.1", "localhost") + "/bucket/key?signature=1"
        cloud.answer = lambda path: (307, "text/plain", b"", {"Location": target})
        with link.open_model_file(JOB, 3, "model.onnx") as file:
            assert file.read() == b"weights"
        assert "Authorization" not in other.seen[0][2]
    finally:
        other.close()


@pytest.mark.parametrize("status", [403, 404, 413, 500])
def test_the_signature_of_a_presigned_address_is_told_to_nobody(cloud, link, status):
    """Errors go to logs, to the slot's reason, and with it to the cloud."""
    other = Cloud()
    try:
        other.answer = lambda path: (status, "application/xml", b"<Error/>", {})
        target = other.url + "/bucket/key?X-Amz-Signature=topsecret"
        cloud.answer = lambda path: (307, "text/plain", b"", {"Location": target})
        with pytest.raises(SednaError) as caught, link.open_model_file(JOB, 3, "model.onnx"):
            pass
        assert "/bucket/key" in str(caught.value)
        assert "topsecret" not in str(caught.value)
    finally:
        other.close()


def test_a_download_that_breaks_off(cloud, link):
    cloud.answer = lambda path: (200, "application/octet-stream", b"half", {"Content-Length": "1000"})
    with pytest.raises(LinkUnavailableError), link.open_model_file(JOB, 3, "model.onnx") as file:
        file.read()


def test_a_missing_model_file(cloud, link):
    cloud.answer = lambda path: (404, PROBLEM, b'{"detail": "no such file"}', {})
    with pytest.raises(NotFoundError, match="no such file"), link.open_model_file(JOB, 3, "x"):
        pass


def test_the_token_is_asked_for_at_every_request(cloud):
    tokens = iter(["old", "new"])
    link = HttpEdgeLink(cloud.url + "/prefix/", lambda: next(tokens))
    body = EdgeDesired(at=NOW).model_dump_json().encode()
    cloud.answer = lambda path: (200, "application/json", body, {})
    link.heartbeat(BEAT)
    link.heartbeat(BEAT)
    assert [seen[2]["Authorization"] for seen in cloud.seen] == ["Bearer old", "Bearer new"]
    assert cloud.seen[0][1] == "/prefix/api/v1/edges/edge-1/heartbeat"
    link.close()
