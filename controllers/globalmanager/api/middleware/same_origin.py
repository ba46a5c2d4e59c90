"""Requests that a browser makes by itself: from our own page, and meant for us."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from sedna.common.errors import AuthError

__all__ = ["ANY_HOST", "CSRF_HEADER", "SAFE_METHODS", "require_csrf", "require_known_host", "require_same_origin"]

ANY_HOST: Final = "*"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def require_known_host(headers: Headers, hosts: Sequence[str]) -> None:
    """Raise `AuthError` (403) unless the browser means this service.

    A name of somebody else's that was made to point here lets that one's page talk to us as to its own server.

    Args:
        hosts: names without a port; `ANY_HOST` among them takes every name.
    """
    if ANY_HOST in hosts:
        return
    named = headers.get("host", "")
    try:
        name = urlsplit(f"//{named}").hostname
    except ValueError:
        name = None
    if name not in hosts:
        raise AuthError(
            f"nobody signs in here under the name {named!r}",
            where="Host",
            hint=f"one of: {', '.join(hosts)}; the setting 'hosts' adds others",
            forbidden=True,
        )


def require_same_origin(headers: Headers) -> None:
    """Raise `AuthError` (403) unless a page of ours made this request.

    Browsers say where a request comes from, and no script can change that. Over plain http to another machine they
    leave ``Sec-Fetch-Site`` out; ``Origin`` comes with every request that changes something.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        if site == "same-origin":
            return
        raise AuthError(f"the request comes from another page ({site})", where="Sec-Fetch-Site", forbidden=True)
    origin, host = headers.get("origin", ""), headers.get("host", "")
    if origin.partition("://")[2].lower() != host.lower() or not host:
        raise AuthError(
            f"the request comes from {origin or 'nowhere'}, not from a page of {host}",
            where="Origin",
            hint="programs send a token: 'Authorization: Bearer TOKEN'",
            forbidden=True,
        )


def require_csrf(headers: Headers, csrf: str) -> None:
    """Raise `AuthError` (403) unless the page has sent what it was given when somebody signed in."""
    # As bytes: of others than ASCII the comparison would raise.
    if not hmac.compare_digest(headers.get(CSRF_HEADER, "").encode(), csrf.encode()):
        raise AuthError(
            "what changes something needs the page's own mark",
            where=CSRF_HEADER,
            hint="'csrf' of GET /api/v1/session",
            forbidden=True,
        )
