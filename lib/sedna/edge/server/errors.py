"""Errors of requests, and which HTTP status says so."""

from __future__ import annotations

import logging
import math

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sedna.common.errors import (
    DataError,
    MediaTypeError,
    NotFoundError,
    SednaError,
    TemporaryError,
    TooLargeError,
    UserError,
)

__all__ = ["BusyError", "RequestError", "add_error_handlers", "status_of"]

LOG = logging.getLogger("sedna.edge.server")


class RequestError(UserError):
    """The request is not one of the Open Inference Protocol."""


class BusyError(TemporaryError):
    """More requests wait than this device can answer soon."""


_STATUS: tuple[tuple[type[SednaError], int], ...] = (
    (RequestError, 400),
    (MediaTypeError, 415),
    (NotFoundError, 404),
    (TooLargeError, 413),
    (DataError, 422),
    (UserError, 400),
    (TemporaryError, 503),
)


def status_of(error: SednaError) -> int:
    """The HTTP status for an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error as ``{"error": text}``, as the protocol wants it."""
    app.add_exception_handler(SednaError, _on_sedna_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)


async def _on_sedna_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SednaError)
    status = status_of(error)
    headers = {}
    if request.method == "POST" and not getattr(request.state, "body_read", False):
        headers["Connection"] = "close"  # else the server would go on reading what nobody wants
    if isinstance(error, TemporaryError):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 500:  # a busy device must not fill its own disk with 503s
        LOG.warning("request failed: %s", error)
    return JSONResponse({"error": str(error)}, status, headers)


async def _on_http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def _on_defect(request: Request, error: Exception) -> JSONResponse:
    LOG.error("unexpected error on %s", request.url.path, exc_info=error)
    return JSONResponse({"error": "internal error; the edge's log says more"}, 500)
