"""Refuse bodies over a limit without reading them to the end, and inflate compressed ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from globalmanager.api.problems import from_error
from sedna.common.errors import MediaTypeError, SednaError, TooLargeError
from sedna.common.inflate import Inflater

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
        if (refusal := body.refusal) is not None:
            await body.refuse(refusal)
            return
        try:
            await self._app(body.inflated_scope(), body.receive, body.send)
        except _Refused:
            # Too late for a 413: the head of another answer is on the line, and only a broken connection still says
            # "wrong".
            if body.answered:
                raise
        await body.refuse_late()


class _Refused(Exception):  # noqa: N818  (control flow that never leaves this module)
    pass


class _LimitedBody:
    """The body of one request, while it arrives."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isdigit() else 0
        self.refusal: SednaError | None = None
        self.answered = False
        self._chunked = "transfer-encoding" in headers
        self._scope, self._receive, self._send = scope, receive, send
        self._limit = limit
        self._received = 0
        self._finished = False
        self._inflater: Inflater | None = None
        if self.declared > limit:
            self.refusal = self._too_large()
            return
        encoding = headers.get("content-encoding", "identity")
        if encoding.strip().lower() != "identity":
            try:
                self._inflater = Inflater(encoding, limit)
            except MediaTypeError as error:
                self.refusal = error

    def inflated_scope(self) -> Scope:
        """What the application sees of the request: the body as it is once inflated, whose length nobody has told."""
        if self._inflater is None:
            return self._scope
        told = (b"content-encoding", b"content-length")
        return {**self._scope, "headers": [(name, value) for name, value in self._scope["headers"] if name not in told]}

    async def receive(self) -> Message:
        """What the application reads."""
        if self.refusal is not None:
            raise _Refused
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._finished = not message.get("more_body", False)
            try:
                if self._received > self._limit:
                    raise self._too_large()
                if self._inflater is not None:
                    message = self._inflated(self._inflater, message)
            except SednaError as error:
                self.refusal = error
                raise _Refused from error
        return message

    def _inflated(self, inflater: Inflater, message: Message) -> Message:
        body = inflater.feed(message.get("body", b""))
        if self._finished:
            inflater.finish()
        return {**message, "body": body}

    async def send(self, message: Message) -> None:
        """What the application answers."""
        if self.refusal is not None and not self.answered:
            return  # its answer to the broken body; ours follows
        self.answered = True
        if message["type"] == "http.response.start" and self._much_left():
            # The client is still sending: without the close its rest would be read as the next request.
            MutableHeaders(scope=message)["Connection"] = "close"
        await self._send(message)

    async def refuse(self, why: SednaError) -> None:
        """Answer what is wrong with the body."""
        response = from_error(why, self._scope["state"]["request_id"])
        response.headers["Connection"] = "close"
        await response(self._scope, self._receive, self._send)

    async def refuse_late(self) -> None:
        """Answer what was found wrong while the application read, unless it has answered before."""
        if self.refusal is not None and not self.answered:
            await self.refuse(self.refusal)

    def _too_large(self) -> TooLargeError:
        return TooLargeError("the body is too large", hint=f"at most {self._limit} bytes")

    def _much_left(self) -> bool:
        """Whether an unread rest of the body is worth a new connection."""
        return not self._finished and (self._chunked or self.declared - self._received > _SMALL_REST)
