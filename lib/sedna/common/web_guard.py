"""Uvicorn with limits on connections: how many, and how long a client may keep the server waiting.

Uvicorn itself waits for ever for the rest of a head or body, and accepts until the process has no file left.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from sedna.common.connection_limits import ConnectionLimits

__all__ = ["ACCEPT_AT_ONCE", "ConnectionGuard", "GuardedConfig", "GuardedProtocol", "GuardedServer"]

LOG = logging.getLogger("sedna.web")

ACCEPT_AT_ONCE: Final = 8
"""Asyncio takes so many connections before it looks at any. More would use up the files of a small process before the
guard has seen one of them."""

_LOBBY: Final = 16
"""Connections beyond the limit that may still ask for health: a machine that asks must not find a full house dead."""

_LOBBY_SECONDS: Final = 2.0
"""Granted to the head of one of those; they are few, and a silent one would keep health from being asked."""

_HEALTH: Final = ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready")

_QUEUE: Final = 1024
"""Connections that the kernel keeps meanwhile; it forgets others, whose clients try again after a second."""

_TICKS: Final = 10
"""Of the server, ten a second, between two looks at the connections."""

_TOO_MANY: Final = "too many connections"

_CLOSING_SECONDS: Final = 5.0
"""How long a client has to take the last answer before its connection is cut."""


class ConnectionGuard:
    """Counts the connections of one server.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, limits: ConnectionLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self._in_all = limits.in_all
        self._of_one = limits.of_one_address
        self._open: Counter[str] = Counter()
        self._sum = 0
        self._lobby = 0

    @property
    def open(self) -> int:
        """Connections that were counted in."""
        return self._sum

    def enter(self, address: str) -> bool:
        """Count a connection in; False when it is one too many."""
        if self._sum >= self._in_all:
            LOG.warning("connections are refused: there are %d", self._in_all)
            return False
        if self._open[address] >= self._of_one:
            LOG.warning("connections of %s are refused: it has %d", address, self._of_one)
            return False
        self._open[address] += 1
        self._sum += 1
        return True

    def enter_lobby(self) -> bool:
        """Count in one that `enter` refused; False when too many wait there as well."""
        if self._lobby >= _LOBBY:
            return False
        self._lobby += 1
        return True

    def leave_lobby(self) -> None:
        """Count one out of the lobby."""
        self._lobby -= 1

    def leave(self, address: str) -> None:
        """Count one out that was counted in."""
        self._sum -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def sweep(self, connections: Iterable[object]) -> None:
        """End connections whose time is up."""
        now = self.clock()
        for connection in list(connections):
            if isinstance(connection, GuardedProtocol):
                connection.look(now)


class GuardedConfig(uvicorn.Config):
    """A configuration that hands a guard to every connection; made by `sedna.common.web.make_server`."""

    guard: ConnectionGuard


class GuardedProtocol(H11Protocol):
    """HTTP/1.1 over one connection, with a time for every head, body and answer.

    Nothing here waits or sets a timer: times are noted as bytes come, and the guard's sweep compares them.
    """

    config: GuardedConfig

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Answer 503 and close where there are too many."""
        super().connection_made(transport)
        self._guard = self.config.guard
        self._address = self.client[0] if self.client is not None else ""
        self._head_since: float | None = self._guard.clock()
        self._body_since: float | None = None
        self._body_bytes = 0
        self._unsent: tuple[int, float] | None = None
        self._closing_since: float | None = None
        self._head_seconds = self._guard.limits.head_seconds
        self._counted = self._guard.enter(self._address)
        self._waits_in_lobby = not self._counted and self._guard.enter_lobby()
        if self._waits_in_lobby:
            self._head_seconds = min(self._head_seconds, _LOBBY_SECONDS)
            self.app = _OnlyHealth(self.app)
        elif not self._counted:
            self._answer("503 Service Unavailable", _TOO_MANY, "Retry-After: 1\r\n")

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        if self._counted:
            self._counted = False
            self._guard.leave(self._address)
        if self._waits_in_lobby:
            self._waits_in_lobby = False
            self._guard.leave_lobby()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note what the bytes belong to, once they are read."""
        self._body_bytes += len(data)
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.IDLE:
            self._body_since = None
            if self._head_since is None:
                self._head_since = self._guard.clock()
            return
        self._head_since = None
        if state is not h11.SEND_BODY:
            self._body_since = None
        elif self._body_since is None:
            self._start_body(self._guard.clock())

    def look(self, now: float) -> None:
        """End the connection if its client has kept the server waiting for too long."""
        limits = self._guard.limits
        if self.transport.is_closing():
            self._closing_since = self._closing_since or now
            if now - self._closing_since > _CLOSING_SECONDS:
                self.transport.abort()
        elif self._answer_is_stuck(now):
            LOG.info("%s takes no answer for %g s: closed", self._address, limits.write_seconds)
            self.transport.abort()
        elif self._head_since is not None:
            if now - self._head_since > self._head_seconds:
                self._end_head(self._head_seconds)
        elif self.conn.their_state is h11.SEND_BODY:
            if self._body_since is None:  # begun by bytes that came with the request before
                self._start_body(now)
            elif self.flow.read_paused or self.conn.they_are_waiting_for_100_continue:
                self._start_body(now)  # it is we who keep the client waiting
            elif now - self._body_since > limits.body_seconds + self._body_bytes / limits.body_bytes_per_second:
                self._time_out("the body of the request", now - self._body_since)

    def _start_body(self, now: float) -> None:
        self._body_since = now
        self._body_bytes = 0

    def _answer_is_stuck(self, now: float) -> bool:
        size = self.transport.get_write_buffer_size()
        if not size:
            self._unsent = None
        elif self._unsent is None or self._unsent[0] != size:
            self._unsent = (size, now)
        else:
            return now - self._unsent[1] > self._guard.limits.write_seconds
        return False

    def _end_head(self, seconds: float) -> None:
        if self.conn.trailing_data[0]:
            self._time_out("the head of the request", seconds)
        else:
            self.transport.close()  # nothing was asked, so that nothing is answered

    def _time_out(self, what: str, seconds: float) -> None:
        LOG.info("%s of %s has not come in %.0f s: closed", what, self._address, seconds)
        begun = self.cycle is not None and not self.cycle.response_complete
        if begun and self.cycle.response_started:
            self.transport.abort()  # no second head: the client would read it as a part of the first answer
            return
        if begun:
            self.cycle.disconnected = True
        self._answer("408 Request Timeout", f"{what} has not come in {seconds:.0f} s")

    def _answer(self, status: str, text: str, headers: str = "") -> None:
        """The last answer of a connection, past the application, which is not to be asked."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n{headers}"
        self.transport.write(f"{head}Content-Length: {len(text.encode())}\r\n\r\n{text}".encode())
        self.transport.close()


class _OnlyHealth:
    """What one connection too many may ask: health, once."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_last(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", []), (b"connection", b"close")]}
            await send(message)

        if scope["path"] in _HEALTH and scope["method"] in ("GET", "HEAD"):
            await self._app(scope, receive, send_last)
            return
        body = _TOO_MANY.encode()
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"retry-after", b"1"),
        ]
        await send_last({"type": "http.response.start", "status": 503, "headers": headers})
        await send_last({"type": "http.response.body", "body": body})


class GuardedServer(uvicorn.Server):
    """Looks after its connections once a second."""

    config: GuardedConfig

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and let the kernel keep more connections than asyncio takes at once."""
        await super().startup(sockets)
        for bound in sockets or []:
            bound.listen(_QUEUE)

    async def on_tick(self, counter: int) -> bool:
        """As uvicorn's, ten times a second."""
        if counter % _TICKS == 0:
            self.config.guard.sweep(self.server_state.connections)
        return await super().on_tick(counter)
