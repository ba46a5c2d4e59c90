"""Turn requests away that would wait for too long, so that those which are taken are answered."""

from __future__ import annotations

import asyncio
import re

from starlette.types import ASGIApp, Receive, Scope, Send

from globalmanager.api.problems import from_error
from sedna.common.errors import TemporaryError

__all__ = ["HEALTH", "BusyError", "Lane", "Lanes", "Shed"]

HEALTH = frozenset({"/healthz", "/readyz"})
"""Never turned away: they wait for nothing that a flood of others could hold."""

_STREAM = re.compile(r"/api/v1/(jobs/[^/]+/[^/]+/)?events")
_LIST = re.compile(
    r"/api/v1/(home|jobs|edges|datasets|models|tokens|jobs/[^/]+/[^/]+/(samples|rounds|decisions|datasets|models|triggers|labels:queue))"
)
_PICTURE = re.compile(r"/api/v1/jobs/[^/]+/[^/]+/samples/[^/]+/(thumbnail|drawing)")
_EXPORT = re.compile(r"/api/v1/jobs/[^/]+/[^/]+/labels:export")
_METRICS = "/metrics"


_PICTURES = 8
"""Made and known ones: those that are in the cache wait for nobody who decodes."""


class BusyError(TemporaryError):
    """More requests run and wait than this service can answer soon."""


class Lane:
    """Requests of one kind: ``running`` at a time, and at most ``waiting`` that wait for it, in the order they came."""

    def __init__(self, name: str, running: int, waiting: int) -> None:
        self._name = name
        self._places = running + waiting
        self._taken = 0
        self._turn = asyncio.Semaphore(running)

    async def enter(self) -> None:
        """Wait for a turn and have it until `leave`.

        Raises:
            BusyError: too many wait.
        """
        if self._taken >= self._places:
            raise BusyError(
                f"{self._taken} {self._name} run or wait", hint="ask for fewer at a time, or later", retry_after=1.0
            )
        self._taken += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._taken -= 1
            raise

    def leave(self) -> None:
        """Let the next one have the turn."""
        self._taken -= 1
        self._turn.release()


class Lanes:
    """Lists cost the most, streams stay for hours, a grid asks for many small pictures at once, an export fills a
    disk, and the rest is many: none may take the places of the others."""

    def __init__(
        self, *, lists: int, lists_waiting: int, streams: int, pictures_waiting: int, exports: int, requests: int
    ) -> None:
        self._lists = Lane("lists", lists, lists_waiting)
        self._streams = Lane("event streams", streams, 0)
        self._metrics = Lane("collections of metrics", 1, 4)
        # Few are decoded at a time whatever waits: it is the waiting ones that must not stand before heartbeats.
        self._pictures = Lane("small pictures", _PICTURES, pictures_waiting)
        self._exports = Lane("exports of labels", exports, 0)
        self._rest = Lane("requests", requests, 0)

    def of(self, method: str, path: str) -> Lane:
        """Where a request waits."""
        if path == _METRICS:
            return self._metrics
        if method in ("GET", "HEAD"):
            if _LIST.fullmatch(path):
                return self._lists
            if _STREAM.fullmatch(path):
                return self._streams
            if _PICTURE.fullmatch(path):
                return self._pictures
            if _EXPORT.fullmatch(path):
                return self._exports
        return self._rest


class Shed:
    """503 with ``Retry-After`` for what finds no place in its lane, before its token is looked up or its body read."""

    def __init__(self, app: ASGIApp, lanes: Lanes) -> None:
        self._app = app
        self._lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in HEALTH:
            await self._app(scope, receive, send)
            return
        lane = self._lanes.of(scope["method"], scope["path"])
        try:
            await lane.enter()
        except BusyError as error:
            response = from_error(error, scope["state"]["request_id"])
            if scope["method"] not in ("GET", "HEAD"):
                response.headers["Connection"] = "close"  # else its body would be read for nothing
            await response(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            lane.leave()
