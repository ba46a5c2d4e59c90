"""Authentication: a bearer token or a session's cookie is checked before a byte of the body is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

from globalmanager.api.middleware.same_origin import (
    SAFE_METHODS,
    require_csrf,
    require_known_host,
    require_same_origin,
)
from globalmanager.api.problems import from_error
from globalmanager.auth.principal import Principal
from globalmanager.auth.sessions import Sessions
from sedna.common.errors import AuthError, SednaError

__all__ = ["SESSION_ROUTE", "Authenticate", "Authenticator", "Identity", "bearer"]

PROTECTED = "/api/"
SESSION_ROUTE = "/api/v1/session"
WORKER_ROUTES = "/api/v1/worker/"
POD_ROUTES = frozenset({"/api/v1/edge-token", "/api/v1/worker-token"})
"""Where Pods bring tokens that are not ours: the routes ask the API server of their cluster who that is."""


class Authenticator(Protocol):
    """Knows the identity behind a token."""

    def authenticate(self, token: str) -> Principal:
        """The identity.

        Raises:
            AuthError: nobody has this token, or it was revoked.
        """
        ...


@dataclass(frozen=True)
class Identity:
    """By what a caller is known: a bearer token, or the cookie of a session."""

    authenticator: Authenticator
    sessions: Sessions
    token: str | None = None
    cookie: str | None = None

    def principal(self) -> Principal:
        """Who calls. Looked up anew each time: an answer that lasts, such as a stream, asks again.

        Raises:
            AuthError: token or session have ended.
        """
        if self.cookie is not None:
            return self.sessions.identify(self.cookie, active=False).principal
        return self.authenticator.authenticate(self.token or "")


class Authenticate:
    """Everything under ``/api/`` needs a token or a session; the caller is in ``scope["state"]["principal"]``, and
    ``["identity"]`` finds it again.

    Of `POD_ROUTES` alone the token is another one, and nobody is behind it here; nor behind who is about to sign in.

    Args:
        hosts: under which names browsers may reach the service.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator, sessions: Sessions, hosts: Sequence[str]) -> None:
        self._app = app
        self._authenticator = authenticator
        self._sessions = sessions
        self._hosts = tuple(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PROTECTED) and scope["path"] not in POD_ROUTES:
            try:
                # The look-up waits for the database, and the event loop must not: one slow query would stop every other
                # request.
                await run_in_threadpool(self._let_in, scope)
            except SednaError as error:
                await from_error(error, scope["state"]["request_id"])(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _let_in(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if scope["path"] == SESSION_ROUTE and scope["method"] == "POST":
            require_known_host(headers, self._hosts)
            require_same_origin(headers)
            return
        # Whoever sends a token is a program that says who it is; a cookie beside it says nothing.
        authorization = headers.get("authorization")
        cookie = self._cookie(headers) if authorization is None else None
        if cookie is None:
            token = bearer(authorization)
            principal = self._authenticator.authenticate(token)
            identity = Identity(self._authenticator, self._sessions, token=token)
        else:
            principal = self._browser(scope["method"], headers, cookie)
            identity = Identity(self._authenticator, self._sessions, cookie=cookie)
        _keep_workers_apart(principal, scope["path"])
        _keep_pods_apart(principal, scope["path"])
        scope["state"]["principal"] = principal
        scope["state"]["identity"] = identity

    def _cookie(self, headers: Headers) -> str | None:
        sent = headers.get("cookie")
        name = self._sessions.cookie if sent else None
        return None if name is None else cookie_parser(sent or "").get(name)

    def _browser(self, method: str, headers: Headers, cookie: str) -> Principal:
        require_known_host(headers, self._hosts)
        found = self._sessions.identify(cookie)
        if method not in SAFE_METHODS:
            # Browsers send the cookie along, whoever's page asks for it: only the two together are the person's wish.
            require_same_origin(headers)
            require_csrf(headers, found.csrf)
        return found.principal


def _keep_workers_apart(principal: Principal, path: str) -> None:
    """A worker runs code of users: its token opens its own routes only, whatever a route of another kind forgets."""
    if principal.worker is not None and not path.startswith(WORKER_ROUTES):
        raise AuthError(
            f"the token of worker {principal.worker!r} is not for this",
            hint=f"it is for {WORKER_ROUTES}...",
            forbidden=True,
        )


def _keep_pods_apart(principal: Principal, path: str) -> None:
    """A Pod's edge is in a namespace of somebody, who need not see what other namespaces have."""
    if principal.job is None:
        return
    own = (f"/api/v1/edges/{principal.edge}/", f"/api/v1/jobs/{principal.job}/", "/api/v1/worker-reports/")
    if not path.startswith(own):
        raise AuthError(
            f"the token of edge {principal.edge!r} is not for this",
            hint=f"it is for {', '.join(own)}",
            forbidden=True,
        )


def bearer(header: str | None) -> str:
    """The token of an ``Authorization`` header. Raises `AuthError` if there is none."""
    scheme, _, token = (header or "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise AuthError("a token is needed", hint="send the header 'Authorization: Bearer TOKEN'")
    return token
