"""Authentication: a bearer token is checked before a byte of the body is read."""

from __future__ import annotations

from typing import Protocol

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from globalmanager.api.problems import from_error
from globalmanager.auth.principal import Principal
from sedna.common.errors import AuthError, SednaError

__all__ = ["Authenticate", "Authenticator", "bearer"]

PROTECTED = "/api/"
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


class Authenticate:
    """Everything under ``/api/`` needs a token; the identity is in ``scope["state"]["principal"]``.

    Of `POD_ROUTES` alone the token is another one, and nobody is behind it here.
    """

    def __init__(self, app: ASGIApp, authenticator: Authenticator) -> None:
        self._app = app
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PROTECTED) and scope["path"] not in POD_ROUTES:
            try:
                token = bearer(Headers(scope=scope).get("authorization"))
                # The look-up waits for the database, and the event loop must not: one slow query would stop every other
                # request.
                principal = await run_in_threadpool(self._authenticator.authenticate, token)
                _keep_workers_apart(principal, scope["path"])
                _keep_pods_apart(principal, scope["path"])
                scope["state"]["principal"] = principal
            except SednaError as error:
                await from_error(error, scope["state"]["request_id"])(scope, receive, send)
                return
        await self._app(scope, receive, send)


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
