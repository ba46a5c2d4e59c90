"""What routes ask for: the services, who may call, the caller, the job of the path, a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from globalmanager.api.services import ApiServices
from globalmanager.auth.permission import Permission
from globalmanager.auth.principal import Principal
from sedna.common.errors import MediaTypeError
from sedna.common.types import JobKey, Name

__all__ = [
    "ADMIN_ONLY",
    "API_PREFIX",
    "LABELLERS",
    "OPEN",
    "READERS",
    "REPORTERS",
    "SERVING",
    "WORKERS",
    "Admin",
    "BrowserCaller",
    "Job",
    "Labeller",
    "PageQuery",
    "Permits",
    "Reader",
    "Reporter",
    "Services",
    "ServingReader",
    "WorkerCaller",
    "accepts",
    "permission_of",
    "problems",
]


API_PREFIX = "/api/v1"


def _services(request: Request) -> ApiServices:
    services: ApiServices = request.app.state.services
    return services


def _caller(request: Request) -> Principal:
    principal: Principal = request.scope["state"]["principal"]
    return principal


class Permits:
    """A route dependency that says who may call: the permission of the operation. Gives the caller, if there is one."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    def __call__(self, request: Request) -> Principal | None:
        if self.permission is Permission.OPEN:
            return None
        caller = _caller(request)
        caller.require(self.permission)
        return caller


def permission_of(route: APIRoute) -> Permission:
    """What a route of the API declares.

    Raises:
        AssertionError: nothing, or several things: whoever adds a route has to say who may call it.
    """
    found = {one.permission for one in _permits_in(route.dependant)}
    assert len(found) == 1, f"{route.path}: one of Permission is needed, not {sorted(found)}"
    return found.pop()


def _permits_in(dependant: Dependant) -> Iterator[Permits]:
    if isinstance(dependant.call, Permits):
        yield dependant.call
    for below in dependant.dependencies:
        yield from _permits_in(below)


def _job(
    caller: Annotated[Principal, Depends(_caller)],
    namespace: Annotated[Name, Path(examples=["default"])],
    name: Annotated[Name, Path(examples=["pcb"])],
) -> JobKey:
    key = JobKey(namespace=namespace, name=name)
    caller.require_job(key)
    return key


class PageQuery:
    """``?limit=&cursor=`` of a list."""

    def __init__(
        self,
        limit: Annotated[int, Query(ge=1, le=1000, description="items of a page")] = 100,
        cursor: Annotated[str | None, Query(description="``next`` of the page before")] = None,
    ) -> None:
        self.limit = limit
        self.cursor = cursor


Services = Annotated[ApiServices, Depends(_services)]
# Who may call, for the decorator of a route, where it comes before whatever looks at the body; and the caller, for
# a route that cares who that is.
OPEN: Any = Depends(Permits(Permission.OPEN))
READERS: Any = Depends(Permits(Permission.READ))
SERVING: Any = Depends(Permits(Permission.READ_SERVED))
LABELLERS: Any = Depends(Permits(Permission.LABEL))
ADMIN_ONLY: Any = Depends(Permits(Permission.ADMIN))
REPORTERS: Any = Depends(Permits(Permission.REPORT))
WORKERS: Any = Depends(Permits(Permission.WORK))
ServingReader = Annotated[Principal, SERVING]
Reader = Annotated[Principal, READERS]
Labeller = Annotated[Principal, LABELLERS]
Admin = Annotated[Principal, ADMIN_ONLY]
Reporter = Annotated[Principal, REPORTERS]
WorkerCaller = Annotated[Principal, WORKERS]
BrowserCaller = Annotated[Principal, Depends(Permits(Permission.BROWSER))]
Job = Annotated[JobKey, Depends(_job)]


def accepts(*media_types: str) -> Any:
    """A route dependency: 415 unless the body has one of these types. An absent type is not guessed."""

    def check(request: Request) -> None:
        sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if sent not in media_types:
            raise MediaTypeError(
                f"the body has the type {sent or 'unknown'!r}",
                where="Content-Type",
                hint=f"one of: {', '.join(media_types)}",
            )

    dependency: Callable[[Request], None] = check
    return Depends(dependency)


_MEANING = {
    401: "no token, or one that is not valid",
    403: "the token's role is too small",
    404: "the named thing does not exist",
    409: "it exists in another shape, or is held by somebody else",
    412: "the condition of the request does not hold",
    413: "the body is over the limit",
    415: "the body's type is not one that is read here",
    422: "the input is wrong; ``where`` and ``hint`` say what would be right",
    429: "too often; Retry-After says when",
    503: "not now; Retry-After says when",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: 401, 403 and 503 are always possible."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": _MEANING[status], "content": content} for status in sorted({401, 403, 503, *statuses})
    }
