"""HTTP status codes as errors of the exception tree, for clients."""

from __future__ import annotations

from sedna.common.errors import AuthError, NotFoundError, PermanentError, SednaError, TemporaryError

__all__ = ["error_of_status"]


def error_of_status(status: int, message: str, where: str, *, unavailable: type[TemporaryError]) -> SednaError:
    """The error that a status outside 200-299 means.

    Args:
        unavailable: for answers after which the same request may succeed later.
    """
    # 408 and 429 are below 500, and still the server's word for "later".
    if status >= 500 or status in (408, 429):
        return unavailable(message, where=where)
    if status in (404, 410):
        return NotFoundError(message, where=where)
    if status in (401, 403):
        return AuthError(message, where=where, forbidden=status == 403)
    return PermanentError(message, where=where)
