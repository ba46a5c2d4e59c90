"""What servers must not do: delay their answers, or change the warning filters that all threads share."""

from __future__ import annotations

import gc
import socket
import threading
import warnings
from collections.abc import Iterator

import pytest

__all__ = ["answers_without_delay", "warning_filters_entered"]


@pytest.fixture
def warning_filters_entered(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of the threads that entered `warnings.catch_warnings`, one an entrance."""
    entered: list[str] = []

    class Counted(warnings.catch_warnings):
        def __enter__(self):
            entered.append(threading.current_thread().name)
            return super().__enter__()

    with monkeypatch.context() as patch:
        patch.setattr(warnings, "catch_warnings", Counted)
        yield entered


def answers_without_delay(url: str, path: str) -> bool:
    """Is TCP_NODELAY set on the server's side of a connection that has got an answer? The server is in this process."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        accepted = next(
            candidate
            for candidate in gc.get_objects()
            if type(candidate) is socket.socket and _peer(candidate) == client.getsockname()
        )
        return accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def _peer(candidate: socket.socket) -> object:
    try:
        return candidate.getpeername()
    except OSError:  # closed, listening, or of no network
        return None
