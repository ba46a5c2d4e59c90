"""What a server does about clients that keep it waiting. Times are those of a clock that the test turns."""

from __future__ import annotations

import contextlib
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from sedna.common.connection_limits import ConnectionLimits
from sedna.common.web import bind_tcp, make_server, url_of
from sedna.common.web_guard import ConnectionGuard, GuardedServer

PATIENCE = 60.0


def application() -> FastAPI:
    """Says hello, counts bodies, and answers more than any buffer holds."""
    app = FastAPI()

    @app.get("/hello")
    async def hello() -> str:
        return "hello"

    @app.get("/healthz")
    async def healthz() -> str:
        return "well"

    @app.post("/count")
    async def count(request: Request) -> int:
        return len(await request.body())

    @app.get("/much")
    async def much() -> Response:
        return Response(bytes(64 << 20))

    return app


@dataclass
class Served:
    """A server whose clock stands still until the test turns it."""

    limits: ConnectionLimits = field(default_factory=ConnectionLimits)
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.socket = bind_tcp("127.0.0.1", 0, backlog=8)
        server = make_server(application(), grace_seconds=1, lifespan=False)
        assert isinstance(server, GuardedServer)
        self.server = server
        self.guard = server.config.guard = ConnectionGuard(self.limits, lambda: self.now)
        self.thread = threading.Thread(target=server.run, kwargs={"sockets": [self.socket]}, daemon=True)
        self.thread.start()
        wait_for(lambda: server.started)

    def connect(self, sent: bytes = b"") -> socket.socket:
        """A client, once the server knows it."""
        before = len(self.server.server_state.connections)
        client = socket.create_connection(self.socket.getsockname()[:2], timeout=PATIENCE)
        wait_for(lambda: len(self.server.server_state.connections) > before)
        client.sendall(sent)
        return client

    def stop(self) -> None:
        """End the server."""
        self.server.should_exit = True
        self.thread.join()
        self.socket.close()


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once it holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def all_of(client: socket.socket) -> bytes:
    """Everything until the server closes."""
    pieces = []
    with client, contextlib.suppress(ConnectionResetError):
        while piece := client.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


@pytest.fixture
def serve() -> Iterator[Callable[[ConnectionLimits], Served]]:
    with contextlib.ExitStack() as stack:

        def start(limits: ConnectionLimits) -> Served:
            served = Served(limits)
            stack.callback(served.stop)
            return served

        yield start


Serve = Callable[[ConnectionLimits], Served]


def test_a_head_that_is_half_sent_is_given_up_when_its_time_is_over(serve: Serve) -> None:
    served = serve(ConnectionLimits(head_seconds=15))
    client = served.connect(b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    wait_for(lambda: bool(next(iter(served.server.server_state.connections)).conn.trailing_data[0]))
    served.now += 14
    assert httpx.get(url_of(served.socket) + "/hello").status_code == 200
    wait_for(lambda: served.guard.open == 1)
    # More of the same head gives it no more time.
    client.sendall(b"y")
    served.now += 2
    answer = all_of(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"the head of the request has not come in 15 s")
    wait_for(lambda: served.guard.open == 0)


def test_a_connection_that_says_nothing_is_closed_without_a_word(serve: Serve) -> None:
    served = serve(ConnectionLimits(head_seconds=15))
    client = served.connect()
    served.now += 16
    assert all_of(client) == b""


def test_a_body_that_comes_too_slowly_is_given_up_and_a_slow_one_is_not(serve: Serve) -> None:
    served = serve(ConnectionLimits(body_seconds=30, body_bytes_per_second=10))
    head = b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
    client = served.connect(head + b"x" * 400)
    (connection,) = served.server.server_state.connections
    wait_for(lambda: connection.cycle is not None)
    client.sendall(b"x" * 500)
    wait_for(lambda: connection._body_bytes >= 500)
    served.now += 75  # 30 s for every body, and 50 s for 500 bytes
    assert httpx.get(url_of(served.socket) + "/hello").status_code == 200
    client.sendall(b"x" * 50)
    wait_for(lambda: connection._body_bytes >= 550)
    served.now += 3
    client.sendall(b"x" * 50)
    answer = all_of(client)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"1000")

    client = served.connect(head + b"x")
    connection = next(one for one in served.server.server_state.connections if one.cycle is None)
    wait_for(lambda: connection.cycle is not None)
    served.now += 40
    answer = all_of(client)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b"the body of the request has not come in 40 s")


def test_who_takes_nothing_of_the_answer_is_cut_off(serve: Serve) -> None:
    served = serve(ConnectionLimits(write_seconds=60))
    client = served.connect(b"GET /much HTTP/1.1\r\nHost: x\r\n\r\n")
    (connection,) = served.server.server_state.connections
    wait_for(lambda: connection._unsent is not None)  # the server has looked at it once
    served.now += 61
    wait_for(lambda: not served.server.server_state.connections)
    assert len(all_of(client)) < 64 << 20


def test_one_too_many_is_answered_503_and_others_are_served(serve: Serve) -> None:
    served = serve(ConnectionLimits(connections=4, per_address=3))
    kept = [served.connect() for _ in range(3)]
    refused = httpx.get(url_of(served.socket) + "/hello")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert refused.headers["connection"] == "close"
    assert httpx.get(url_of(served.socket) + "/healthz").json() == "well"
    silent = [served.connect() for _ in range(16)]
    refused_at_once = all_of(socket.create_connection(served.socket.getsockname()[:2], timeout=PATIENCE))
    assert refused_at_once.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1" in refused_at_once
    served.now += 3
    assert [all_of(client) for client in silent] == [b""] * 16, "health can be asked again soon"
    assert httpx.get(url_of(served.socket) + "/healthz").json() == "well"
    kept.pop().close()
    wait_for(lambda: served.guard.open == 2)
    assert httpx.get(url_of(served.socket) + "/hello").status_code == 200
    for client in kept:
        client.close()


def test_connections_are_counted_by_address_and_in_all() -> None:
    guard = ConnectionGuard(ConnectionLimits(connections=3, per_address=2))
    assert [guard.enter(name) for name in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    guard.leave("a")
    assert guard.enter("c")
    assert guard.open == 3


def test_the_limits_follow_from_the_files_a_process_may_open(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((256, 128), (1, 1), (10**6, 1000), (resource.RLIM_INFINITY, 1000)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert ConnectionLimits().in_all == most
        assert ConnectionLimits().of_one_address == max(1, most // 2)
    assert ConnectionLimits(connections=9).of_one_address == 4
    assert [ConnectionLimits(connections=9).shared_by(parts).in_all for parts in (1, 3, 20)] == [9, 3, 1]


SMALL = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from fastapi import FastAPI
from sedna.common.log import setup_logging
from sedna.common.web import bind_tcp, make_server, url_of

setup_logging()
app = FastAPI()
app.add_api_route("/hello", lambda: "hello")
bound = bind_tcp("127.0.0.1", 0, backlog=8)
print(bound.getsockname()[1], flush=True)
make_server(app, grace_seconds=1).run(sockets=[bound])
"""


def test_300_idle_connections_of_many_addresses_stop_no_process_with_256_files() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SMALL], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    port = int(process.stdout.readline())
    idle: list[socket.socket] = []
    try:
        for number in range(300):
            client = socket.socket()
            client.settimeout(PATIENCE)
            client.bind((f"127.0.0.{2 + number % 60}", 0))
            wait_for(lambda client=client: client.connect_ex(("127.0.0.1", port)) == 0)
            idle.append(client)
        refused = [client for client in idle[200:] if client.recv(20).startswith(b"HTTP/1.1 503 ")]
        assert len(refused) == 100
        for client in idle[:100]:
            client.close()
        wait_for(lambda: answers(port))
    finally:
        for client in idle:
            client.close()
        process.terminate()
        _, log = process.communicate(timeout=PATIENCE)
    assert "Too many open files" not in log
    assert 1 <= log.count("connections are refused") <= 3


def answers(port: int) -> bool:
    """Whether somebody new is served."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/hello", timeout=PATIENCE).status_code == 200
    except httpx.TransportError:
        return False
