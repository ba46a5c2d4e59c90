"""A tiny S3 look-alike on loopback that misbehaves on demand. It checks no signatures."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

Fault = Callable[["Handler"], None]
"""Answers one request in a wrong way."""


def answer(status: int, code: str = "", body: bytes | None = None, **headers: str) -> Fault:
    """An error answer as S3 gives it, or with any other body."""

    def act(handler: Handler) -> None:
        text = f"<Error><Code>{code}</Code><Message>because</Message></Error>".encode() if code else b""
        kind = "application/xml" if code else headers.pop("kind", "text/html")
        handler.reply(status, text if body is None else body, {"Content-Type": kind, **headers})

    return act


def silence(handler: Handler) -> None:
    """No answer before the client gives up."""
    handler.faulty.released.wait(20)
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """The connection breaks before the answer."""
    handler.close_connection = True


def store_then_hang_up(handler: Handler) -> None:
    """The request is carried out, its answer gets lost."""
    handler.faulty.objects[handler.key] = handler.body
    handler.close_connection = True


def truncated(handler: Handler) -> None:
    """The body ends before its announced length."""
    data = handler.faulty.objects.get(handler.key, b"x" * 1000)
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("Last-Modified", "Sun, 22 Nov 2026 01:00:29 GMT")
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def slowly(handler: Handler) -> None:
    """A right answer in small pieces with pauses, each shorter than the read timeout."""
    data = handler.faulty.objects[handler.key]
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    step = max(len(data) // 5, 1)
    for start in range(0, len(data), step):
        handler.wfile.write(data[start : start + step])
        handler.wfile.flush()
        time.sleep(0.05)


@dataclass
class FaultyS3:
    """The state of the look-alike. ``faults`` are used up one a request; then it behaves."""

    endpoint: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)  # access keys that requests were signed with
    honours_condition: bool = True
    released: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    faulty: FaultyS3
    body: bytes = b""

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/bucket/")

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _serve(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.faulty.requests.append(f"{self.command} {self.key}")
        if "Credential=" in (signed := self.headers.get("Authorization", "")):
            self.faulty.keys.append(signed.partition("Credential=")[2].partition("/")[0])
        if self.faulty.faults:
            self.faulty.faults.popleft()(self)
            return None
        found = self.faulty.objects.get(self.key)
        if self.command == "PUT":
            if found is not None and self.faulty.honours_condition and self.headers.get("If-None-Match") == "*":
                return answer(412, "PreconditionFailed")(self)
            self.faulty.objects[self.key] = self.body
            return self.reply(200, headers={"ETag": '"0"'})
        if self.command == "DELETE":
            self.faulty.objects.pop(self.key, None)
            return self.reply(204)
        if found is None:
            return answer(404, "NoSuchKey")(self)
        self.send_response(200)
        self.send_header("Content-Length", str(len(found)))
        self.send_header("Last-Modified", "Sun, 22 Nov 2026 01:00:29 GMT")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(found)
        return None

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = _serve  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Tests print nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what the tests are about."""


@pytest.fixture
def faulty_s3() -> Iterator[FaultyS3]:
    faulty = FaultyS3()
    server = _Server(("127.0.0.1", 0), type("BoundHandler", (Handler,), {"faulty": faulty}))
    faulty.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield faulty
    finally:
        faulty.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
