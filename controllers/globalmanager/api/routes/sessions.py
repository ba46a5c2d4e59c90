"""Signing in and out with a browser."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from globalmanager.api.deps import API_PREFIX, OPEN, Admin, BrowserCaller, Services, accepts, problems
from globalmanager.api.middleware.authenticate import SESSION_ROUTE, Identity
from globalmanager.api.schemas import LoginLink, SessionView, SignInBody
from globalmanager.api.sign_in_limit import SignInLimit
from globalmanager.auth.permission import Permission
from globalmanager.auth.principal import Principal
from globalmanager.auth.sessions import Sessions, SignedIn
from globalmanager.db import events, sessions, tokens
from sedna.common.errors import AuthError, SpecError

router = APIRouter(prefix=API_PREFIX, tags=["sessions"])

_COOKIE_PATH = "/api/"


def _sessions(request: Request) -> Sessions:
    found: Sessions = request.app.state.sessions
    return found


KeptSessions = Annotated[Sessions, Depends(_sessions)]


@router.post(
    "/session",
    dependencies=[OPEN, accepts("application/json")],
    operation_id="signIn",
    summary="Sign a browser in by the code of a link or by a token; the cookie that comes back keeps it signed in",
    responses=problems(415, 422, 429),
)
def sign_in(request: Request, response: Response, kept: KeptSessions, body: SignInBody) -> SessionView:
    if (body.code is None) == (body.token is None):
        raise SpecError("a code or a token is needed", where="code", hint="one of the two")
    limit: SignInLimit = request.app.state.sign_ins
    address = request.client.host if request.client is not None else ""
    try:
        secret, found = kept.sign_in(code=body.code, token=body.token)
    except AuthError:
        # Only those who fail: behind a proxy all come from one address, and one who guesses must not lock out the rest.
        limit.check(address)
        limit.failed(address)
        raise
    name = kept.cookie
    assert name is not None, "somebody has signed in with a token"
    response.set_cookie(
        name,
        secret,
        max_age=int(sessions.LONGEST_TIME.total_seconds()),
        path=_COOKIE_PATH,
        httponly=True,
        samesite="strict",
        # By what the browser sees: behind a proxy that ends TLS, the request here is plain.
        secure=request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://"),
    )
    return _view(found)


@router.get(
    "/session",
    operation_id="readSession",
    summary="Who is signed in with this browser",
    responses=problems(),
)
def read_session(request: Request, caller: BrowserCaller, kept: KeptSessions) -> SessionView:
    return _view(kept.identify(_cookie(request, caller)))


@router.delete(
    "/session",
    operation_id="signOut",
    summary="Sign this browser out",
    status_code=204,
    responses=problems(),
)
def sign_out(request: Request, response: Response, caller: BrowserCaller, kept: KeptSessions) -> None:
    kept.sign_out(_cookie(request, caller))
    name = kept.cookie
    assert name is not None, "the caller has sent it"
    response.delete_cookie(name, path=_COOKIE_PATH, httponly=True, samesite="strict")


@router.post(
    "/tokens/{token_name}/links",
    operation_id="createLoginLink",
    summary="A link that signs a browser in as the holder of a token: once, within five minutes",
    status_code=201,
    responses=problems(404, 409),
)
def create_link(services: Services, caller: Admin, token_name: str) -> LoginLink:
    now = services.clock.now()
    with services.db.write() as session:
        Principal.of(tokens.get(session, token_name)).require(Permission.BROWSER)
        code, expires_at = sessions.add_code(session, token_name, now)
        events.add(session, None, "LoginLinkCreated", f"a link for {token_name} was made by {caller.name}", now)
    return LoginLink(code=code, path=login_path(code), expires_at=expires_at)


def login_path(code: str) -> str:
    """Where the page takes a code. In the fragment: browsers keep that to themselves."""
    return f"/ui/login#{code}"


def _cookie(request: Request, caller: Principal) -> str:
    identity: Identity = request.scope["state"]["identity"]
    if identity.cookie is None:
        hint = f"POST {SESSION_ROUTE} begins one, in a browser"
        raise AuthError(f"token {caller.name!r} was sent, and no session", hint=hint)
    return identity.cookie


def _view(found: SignedIn) -> SessionView:
    who = found.principal
    assert who.role in ("admin", "labeller", "viewer"), "nobody else can sign in"
    return SessionView(user=who.name, role=who.role, csrf=found.csrf, expires_at=found.expires_at)
