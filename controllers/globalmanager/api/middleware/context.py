"""Request id, security headers, access log and request metrics."""

from __future__ import annotations

import logging
import re
import secrets
import time
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from globalmanager.api.problems import unexpected_problem

__all__ = ["RequestContext", "RequestMetrics"]

LOGGER = logging.getLogger("sedna.globalmanager.access")

_FOR_MACHINES = frozenset({"/healthz", "/readyz", "/metrics"})

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$")

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
"""Set unless the route set its own: answers are data, not pages. The documentation pages bring a wider policy."""


class RequestMetrics(Protocol):
    """Where finished requests are counted."""

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request; ``route`` is a template such as ``/api/v1/jobs/{namespace}/{name}``."""
        ...


class RequestContext:
    """Outermost layer. A caller's ``X-Request-Id`` is kept if it is a plain word, so that logs can be joined."""

    def __init__(self, app: ASGIApp, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A plain word only: the id goes into a log line, where a line break would forge another one.
        wanted = Headers(scope=scope).get("x-request-id", "")
        request_id = wanted if _REQUEST_ID.match(wanted) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.perf_counter()
        status = 500
        responded = False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, responded
            if message["type"] == "http.response.start":
                status = message["status"]
                responded = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as error:  # the boundary of the process: a defect is logged, its text stays inside
            # The head is sent; a second one would be read as part of the body.
            if responded:
                raise
            response = unexpected_problem(scope["method"], scope["path"], request_id, error)
            await response(scope, receive, send_with_headers)
        finally:
            self._finish(scope, request_id, status, time.perf_counter() - started)

    def _finish(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        # The template and not the path: a metric with a series per sample id would grow for ever.
        template = getattr(scope.get("route"), "path", None)
        self._metrics.observe_request(scope["method"], template or "unmatched", status, seconds)
        principal = scope["state"].get("principal")
        # Every few seconds, by machines: they would be most of the log.
        asked_by_machines = scope["path"] in _FOR_MACHINES and status < 400
        LOGGER.log(
            logging.DEBUG if asked_by_machines else logging.INFO,
            "%s %s %d %.1fms token=%s request=%s",
            scope["method"], scope["path"], status, seconds * 1000,
            principal.name if principal is not None else "-", request_id,
        )  # fmt: skip
