"""Every error of the API as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.exceptions import HTTPException

from globalmanager.api.manifests import ManifestError
from globalmanager.labelling.refusals import NotTakenError
from sedna.common.errors import (
    AuthError,
    ConflictError,
    MediaTypeError,
    NotFoundError,
    SednaError,
    TemporaryError,
    TooLargeError,
    UserError,
)

__all__ = [
    "PROBLEM_TYPE",
    "Problem",
    "ProblemPart",
    "from_error",
    "install",
    "problem_response",
    "request_id_of",
    "status_of",
    "unexpected_problem",
]

LOGGER = logging.getLogger("sedna.globalmanager.api")
PROBLEM_TYPE = "application/problem+json"


_STATUS: tuple[tuple[type[SednaError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (TooLargeError, 413),
    (MediaTypeError, 415),
    (UserError, 422),
    (TemporaryError, 503),
    (SednaError, 500),
)


class ProblemPart(BaseModel):
    """One of several mistakes in a request."""

    where: str = Field(description="parameter, key path, or file:line: key path")
    detail: str
    hint: str = ""


class Problem(BaseModel):
    """RFC 9457 problem details; ``where`` and ``hint`` are ours: the thing that is wrong, and what would be right."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:sedna:problem:not-found",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "there is no such job",
                    "where": "default/pcb",
                    "hint": "jobs of this namespace: boards",
                    "request_id": "8c6c2a0f9d3b4f0a",
                    "errors": [],
                }
            ]
        }
    )

    type: str = Field(description="what kind of error, stable across versions")
    title: str
    status: int
    detail: str
    where: str = ""
    hint: str = ""
    request_id: str = Field(default="", description="also in the X-Request-Id header and in the service's log")
    errors: list[ProblemPart] = Field(default_factory=list, description="every mistake, when there are several")
    current: dict[str, JsonValue] | None = Field(
        default=None, description="only of an answer that meets something newer: what holds now, to be shown beside it"
    )


def status_of(error: SednaError) -> int:
    """The HTTP status that an error of the tree means."""
    if isinstance(error, AuthError):
        return 403 if error.forbidden else 401
    return next(status for kind, status in _STATUS if isinstance(error, kind))


def problem_response(
    request_id: str, status: int, detail: str, *, kind: str | None = None, headers: Mapping[str, str] | None = None,
    where: str = "", hint: str = "", errors: list[ProblemPart] | None = None,
    current: dict[str, JsonValue] | None = None,
) -> JSONResponse:  # fmt: skip
    """A problem as a response."""
    title = HTTPStatus(status).phrase
    problem = Problem(
        type=f"urn:sedna:problem:{kind or _dashed(title)}", title=title, status=status, detail=detail,
        where=where, hint=hint, request_id=request_id, errors=errors or [], current=current,
    )  # fmt: skip
    left_out = {"current"} if current is None else None
    content = problem.model_dump(exclude=left_out)
    return JSONResponse(content, status, headers=dict(headers or {}), media_type=PROBLEM_TYPE)


def from_error(error: SednaError, request_id: str) -> JSONResponse:
    """A problem from an error of the tree."""
    status = status_of(error)
    headers: dict[str, str] = {}
    if isinstance(error, TemporaryError):
        # Whole seconds, and never 0, which clients take for "at once".
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="sedna", error="invalid_token"'
    parts: list[ProblemPart] = []
    if isinstance(error, ManifestError):
        parts = [ProblemPart(where=found.where, detail=found.message, hint=found.hint) for found in error.diagnostics]
    current = error.current if isinstance(error, NotTakenError) else None
    name = type(error).__name__.removesuffix("Error")
    kind = _dashed(re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name))
    return problem_response(
        request_id, status, error.message, kind=kind, headers=headers, where=error.where, hint=error.hint, errors=parts,
        current=current,
    )  # fmt: skip


def install(app: FastAPI) -> None:
    """Answer every error of ``app`` with a problem."""
    app.add_exception_handler(SednaError, _sedna_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def request_id_of(request: Request) -> str:
    """The id that `RequestContext` gave to the request."""
    return str(request.scope.get("state", {}).get("request_id", ""))


def _sedna_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, SednaError)
    if status_of(error) == 500:
        LOGGER.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return from_error(error, request_id_of(request))


def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    parts = [
        ProblemPart(where=".".join(str(part) for part in entry["loc"]), detail=_message(entry))
        for entry in error.errors()
    ]
    first = parts[0]
    more = f" (and {len(parts) - 1} more)" if len(parts) > 1 else ""
    return problem_response(
        request_id_of(request), 422, first.detail + more, kind="validation", where=first.where, errors=parts
    )


def _message(entry: Mapping[str, object]) -> str:
    text = str(entry["msg"]).removeprefix("Value error, ")
    # pydantic says "JSON decode error" and keeps the place and the cause in the context.
    context = entry.get("ctx")
    if entry["type"] == "json_invalid" and isinstance(context, Mapping):
        return f"not JSON: {context.get('error')}"
    value = entry.get("input")
    return text if value is None or isinstance(value, dict | list) else f"{text}; got {str(value)[:60]!r}"


def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    # The words of the framework, for a path without a route; ours name the thing that is missing.
    if error.status_code == 404 and detail == "Not Found":
        detail = f"there is no {request.url.path}"
    if error.status_code == 405:
        detail = f"{request.method} is not allowed here"
    return problem_response(request_id_of(request), error.status_code, detail, headers=error.headers)


def unexpected_problem(method: str, path: str, request_id: str, error: Exception) -> JSONResponse:
    """A defect: logged with its trace under the request id; the caller learns the id only."""
    LOGGER.error("%s %s failed unexpectedly (request %s)", method, path, request_id, exc_info=error)
    return problem_response(request_id, 500, f"an unexpected error, logged under request id {request_id}")


def _dashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
