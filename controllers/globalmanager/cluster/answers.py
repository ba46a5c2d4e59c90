"""What an answer of the API server that is no success means for the caller."""

from __future__ import annotations

import json
from typing import Any

from globalmanager.cluster.api import ClusterUnavailableError, NamespaceTerminatingError, QuotaExceededError
from sedna.common.errors import AuthError, ConflictError, NotFoundError, SednaError, SpecError

__all__ = ["error_of", "is_refused_patch"]

TEXT_CHARS = 2000
"""Of a server's message: a validation of a whole Pod can be long."""


def error_of(method: str, path: str, status: int, data: bytes, retry_after: str | None = None) -> SednaError:
    """The error for an answer with this code and body."""
    said = _status(data)
    text, reason = _message(said, data), said.get("reason", "")
    if status == 401:
        return AuthError(f"the API server does not know this service: {text}", where=path)
    if status == 403:
        return _forbidden(path, text, said)
    if status == 404:
        return NotFoundError(text or "not found", where=path)
    if status == 409:
        # Two writers of a quota at once answer 409 to a create as well; that says nothing about the object.
        if method == "POST" and reason != "AlreadyExists":
            return ClusterUnavailableError(text, where=path)
        return ConflictError(text, where=path)
    if status == 429 or status >= 500:
        wait = float(retry_after) if retry_after and retry_after.isdecimal() else 1.0
        return ClusterUnavailableError(f"{text or 'no reason given'} ({status})", where=path, retry_after=wait)
    if status == 410:
        return ClusterUnavailableError(text or "the list is too old", where=path)
    return SpecError(text or f"refused with {status}", where=path)


def is_refused_patch(status: int, data: bytes) -> bool:
    """Whether a JSON patch did not fit the object (old servers: 422), rather than made an object that is not valid.

    The latter names the kind and the fields in ``details``; the former has none.
    """
    said = _status(data)
    return status == 422 and not said.get("details", {}).get("causes")


def _forbidden(path: str, text: str, said: dict[str, Any]) -> SednaError:
    causes = {cause.get("reason") for cause in said.get("details", {}).get("causes") or ()}
    if "NamespaceTerminating" in causes or "because it is being terminated" in text:
        return NamespaceTerminatingError(text, where=path)
    if "exceeded quota" in text:
        return QuotaExceededError(text, where=path, retry_after=5.0)
    return AuthError(text, where=path, hint="give the service account this right", forbidden=True)


def _status(data: bytes) -> dict[str, Any]:
    try:
        said = json.loads(data)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("kind") == "Status" else {}


def _message(said: dict[str, Any], data: bytes) -> str:
    text = said.get("message") or data.decode(errors="replace").strip()
    return str(text)[:TEXT_CHARS]
