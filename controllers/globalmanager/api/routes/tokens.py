"""Bearer tokens: create, list, revoke."""

from __future__ import annotations

from fastapi import APIRouter

from globalmanager.api.deps import ADMIN_ONLY, API_PREFIX, Admin, Services, accepts, problems
from globalmanager.api.schemas import TokenBody, TokenCreated
from globalmanager.db import edges, events, tokens
from globalmanager.db.values import TokenRow
from sedna.common.clock import span
from sedna.common.errors import ConflictError, SpecError

router = APIRouter(prefix=API_PREFIX, tags=["tokens"])


@router.get(
    "/tokens",
    dependencies=[ADMIN_ONLY],
    operation_id="listTokens",
    summary="Every token, without its secret",
    responses=problems(),
)
def list_tokens(services: Services) -> list[TokenRow]:
    with services.db.read() as session:
        return list(tokens.list_all(session))


@router.post(
    "/tokens",
    operation_id="createToken",
    summary="A new token; it is shown this once",
    status_code=201,
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def create(services: Services, caller: Admin, body: TokenBody) -> TokenCreated:
    if (body.role == "edge") != (body.edge is not None):
        raise SpecError(f"role {body.role!r} with edge {body.edge!r}", where="edge", hint="role edge names one edge")
    now = services.clock.now()
    expires_at = now + span(body.expires_in_seconds) if body.expires_in_seconds else None
    with services.db.write() as session:
        if body.edge is not None:
            # In the same transaction: an edge that is removed meanwhile would leave a token that speaks for nobody.
            edges.get(session, body.edge)
        token = tokens.create(session, body.name, body.role, now, edge=body.edge, expires_at=expires_at)
        events.add(session, None, "TokenCreated", f"token {body.name} was created by {caller.name}", now)
    return TokenCreated(name=body.name, token=token)


@router.delete(
    "/tokens/{token_name}",
    operation_id="revokeToken",
    summary="End a token; its name stays taken, because records refer to it",
    status_code=204,
    responses=problems(404, 409),
)
def revoke(services: Services, caller: Admin, token_name: str) -> None:
    # The last admin could lock everybody out.
    if token_name == caller.name:
        raise ConflictError("a token cannot revoke itself", where=token_name, hint="use another admin token")
    now = services.clock.now()
    with services.db.write() as session:
        tokens.revoke(session, token_name, now)
        events.add(session, None, "TokenRevoked", f"token {token_name} was revoked by {caller.name}", now)
