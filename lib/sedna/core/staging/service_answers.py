"""What an answer of the service, or none, means to a worker."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx

from sedna.common.errors import AuthError, LinkUnavailableError, NotFoundError, PermanentError, SednaError

__all__ = ["TIMEOUT", "UNREACHABLE", "AlreadyThereError", "link_errors", "refusal"]

UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout)
"""No connection came about, so that nothing was sent."""

TIMEOUT = httpx.Timeout(connect=5.0, read=120.0, write=120.0, pool=5.0)


class AlreadyThereError(PermanentError):
    """A conditional PUT met an object."""


@contextlib.contextmanager
def link_errors(where: str) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise LinkUnavailableError(f"no answer: {error or type(error).__name__}", where=where) from error


def refusal(response: httpx.Response, where: str) -> SednaError:
    status = response.status_code
    text = f"status {status}: {response.text[:500]}"
    if status == 412:
        return AlreadyThereError(text, where=where)
    if status >= 400 and not _is_ours(response):
        # Another program has the port of a service that will come back elsewhere, or a proxy answers for it.
        return LinkUnavailableError(f"an answer of something else: {text}", where=where)
    if status > 500 or status in (408, 429):
        return LinkUnavailableError(text, where=where)
    if status in (404, 410):
        return NotFoundError(text, where=where)
    if status in (401, 403):
        return AuthError(text, where=where, forbidden=status == 403)
    return PermanentError(text, where=where)


def _is_ours(response: httpx.Response) -> bool:
    """Whether the service itself refuses, or the object store that it has sent us to."""
    return (
        "json" in response.headers.get("Content-Type", "")
        or bool(response.history)
        or "/api/v1/" not in str(response.url)
    )
