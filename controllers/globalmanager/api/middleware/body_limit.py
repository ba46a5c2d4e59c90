"""Refuse bodies over a limit without reading them to the end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from globalmanager.api.problems import problem_response

__all__ = ["BodyLimit", "LimitRule"]

_SMALL_REST = 64 * 1024


@dataclass(frozen=True)
class LimitRule:
    """Requests whose path matches may carry ``limit`` bytes."""

    path: re.Pattern[str]
    limit: int


class BodyLimit:
    """Counts what arrives; a declared length over the limit is refused before the first byte.

    Where an answer is given before the body was read, the connection is closed rather than the rest read for nothing.
    """

    def __init__(self, app: ASGIApp, rules: Sequence[LimitRule], default: int) -> None:
        self._app = app
        self._rules = tuple(rules)
        self._default = default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = next((rule.limit for rule in self._rules if rule.path.fullmatch(scope["path"])), self._default)
        body = _LimitedBody(scope, receive, send, limit)
        # An honest client is refused before it has sent anything; the count below is for the others, and for chunked
        # bodies.
        if body.declared > limit:
            await body.refuse()
            return
        try:
            await self._app(scope, body.receive, body.send)
        except _OverLimit:
            # Too late for a 413: the head of another answer is on the line, and only a broken connection still says
            # "wrong".
            if body.answered:
                raise
        if body.over and not body.answered:
            await body.refuse()


class _OverLimit(Exception):  # noqa: N818  (control flow that never leaves this module)
    pass


class _LimitedBody:
    """The body of one request, while it arrives."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isdigit() else 0
        self.over = False
        self.answered = False
        self._chunked = "transfer-encoding" in headers
        self._scope, self._receive, self._send = scope, receive, send
        self._limit = limit
        self._received = 0
        self._finished = False

    async def receive(self) -> Message:
        """What the application reads."""
        if self.over:
            raise _OverLimit
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._finished = not message.get("more_body", False)
            if self._received > self._limit:
                self.over = True
                raise _OverLimit
        return message

    async def send(self, message: Message) -> None:
        """What the application answers."""
        if self.over and not self.answered:
            return  # its answer to the broken body; ours follows
        self.answered = True
        if message["type"] == "http.response.start" and self._much_left():
            # The client is still sending: without the close its rest would be read as the next request.
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def refuse(self) -> None:
        """Answer 413."""
        response = problem_response(
            self._scope["state"]["request_id"],
            413,
            "the body is too large",
            kind="too-large",
            hint=f"at most {self._limit} bytes",
            headers={"Connection": "close"},
        )
        await response(self._scope, self._receive, self._send)

    def _much_left(self) -> bool:
        """Whether an unread rest of the body is worth a new connection."""
        return not self._finished and (self._chunked or self.declared - self._received > _SMALL_REST)
