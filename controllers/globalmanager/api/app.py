"""The application: middleware, routes, documentation."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from globalmanager.api import problems
from globalmanager.api.deps import API_PREFIX, permission_of
from globalmanager.api.health_lane import ReadinessLane
from globalmanager.api.metrics import Metrics
from globalmanager.api.middleware.authenticate import Authenticate
from globalmanager.api.middleware.body_limit import BodyLimit, LimitRule
from globalmanager.api.middleware.context import RequestContext
from globalmanager.api.middleware.shed import Lanes, Shed
from globalmanager.api.page import Page
from globalmanager.api.picture_cache import PictureCache
from globalmanager.api.routes import (
    edges,
    event_stream,
    home,
    jobs,
    labelling,
    labels,
    models,
    overview,
    page,
    pictures,
    resources,
    samples,
    service,
    sessions,
    tokens,
    triggers,
    worker_reports,
    workers,
)
from globalmanager.api.services import ApiServices, ApiSettings
from globalmanager.api.sign_in_limit import SignInLimit
from globalmanager.auth.permission import ROLES_OF, Permission
from globalmanager.auth.sessions import Sessions
from sedna import __version__
from sedna.edge.server.documentation import serve_documentation

__all__ = ["create_app"]

_REF = "#/components/schemas/{model}"

_ROUTERS = (
    resources.router, jobs.router, triggers.router, samples.router, pictures.router, labels.router,
    labelling.router, models.router,
    edges.router, worker_reports.router, workers.router, workers.pod_router, tokens.router, sessions.router,
    event_stream.router, overview.router, home.router, service.router, page.router,
)  # fmt: skip

_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sedna-ID",
        "description": "of a browser, by POST /api/v1/session; what changes something needs X-CSRF-Token as well",
    },
}

_DESCRIPTION = """\
Edge-cloud incremental learning: jobs, samples, labels, rounds, models, edges.

Everything under `/api/v1` needs `Authorization: Bearer TOKEN`, or the cookie of a browser that has signed in; each
operation says in `x-permission` what the caller must be allowed to do. Errors are `application/problem+json`
(RFC 9457) with `where` (the thing that is wrong) and `hint` (what would be right). Lists with `next` are read page by
page: pass it on as `?cursor=`.
"""


def create_app(services: ApiServices) -> FastAPI:
    """The API over ``services``."""
    app = FastAPI(
        title="Sedna incremental learning",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.metrics = Metrics(services)
    app.state.page = Page(services.page_dir)
    app.state.pictures = PictureCache(services.engine_settings.pictures_dir, services.settings.pictures_bytes)
    app.state.decoders = asyncio.Semaphore(services.settings.decoders)
    app.state.readiness = ReadinessLane(services)
    app.state.sessions = Sessions(services.db, services.clock)
    app.state.sign_ins = SignInLimit(services.clock)
    problems.install(app)
    for router in _ROUTERS:
        app.include_router(router)
    # The last one added is the outermost.
    # Authentication is innermost, so that a refused request is counted, has an id and cannot send a large body.
    app.add_middleware(
        Authenticate, authenticator=services.authenticator, sessions=app.state.sessions, hosts=services.hosts
    )
    app.add_middleware(BodyLimit, rules=_limits(services.settings), default=services.settings.max_body_bytes)
    # Before anything that costs: what is turned away under load has taken no thread and no connection to the database.
    app.add_middleware(Shed, lanes=_lanes(services.settings))
    app.add_middleware(RequestContext, metrics=app.state.metrics)
    _document(app)
    serve_documentation(app)
    return app


def _api_routes() -> Iterator[APIRoute]:
    for router in _ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path.startswith(API_PREFIX):
                yield route


def _lanes(settings: ApiSettings) -> Lanes:
    return Lanes(
        lists=settings.lists,
        lists_waiting=settings.lists_waiting,
        pictures_waiting=settings.pictures_waiting,
        exports=settings.exports,
        streams=settings.streams,
        requests=settings.requests,
    )


def _limits(settings: ApiSettings) -> tuple[LimitRule, ...]:
    job = rf"{API_PREFIX}/jobs/[^/]+/[^/]+"
    return (
        # The first rule that fits counts; everything else has the small default.
        LimitRule(re.compile(rf"{job}/samples/[^/]+"), settings.max_sample_bytes),
        # Thousands of boxes on one picture.
        LimitRule(re.compile(rf"{job}/labelling/samples/.+"), settings.max_drawn_bytes),
        LimitRule(re.compile(rf"{job}/predictions"), settings.max_labels_bytes),
        LimitRule(re.compile(rf"{job}/labels:import"), settings.max_labels_bytes),
        LimitRule(re.compile(rf"{API_PREFIX}/resources"), settings.max_manifest_bytes),
        LimitRule(re.compile(rf"{API_PREFIX}/worker-reports/[^/]+"), settings.max_report_bytes),
        LimitRule(re.compile(rf"{API_PREFIX}/worker/report"), settings.max_report_bytes),
        LimitRule(re.compile(rf"{API_PREFIX}/worker/objects/.+"), settings.max_result_bytes),
    )


def _document(app: FastAPI) -> None:
    """OpenAPI with what the middleware enforces and the routes permit, and problems instead of FastAPI's own 422."""
    # Here and not when somebody asks for it: a route that says nothing must not be served.
    declared = [(route, permission_of(route)) for route in _api_routes()]

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            components = schema.setdefault("components", {})
            components["schemas"]["Problem"] = problems.Problem.model_json_schema(ref_template=_REF)
            part = components["schemas"]["Problem"].pop("$defs")
            components["schemas"].update(part)
            components["securitySchemes"] = _SCHEMES
            for route, permission in declared:
                for method in route.methods or ():
                    _complete(schema["paths"][route.path_format][method.lower()], permission)
            # Named by no route any more, and clients made from the document would carry them along.
            for name in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(name, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(operation: dict[str, Any], permission: Permission) -> None:
    """What FastAPI does not know of an operation: by what a caller is known, and what it must be allowed to do."""
    operation["security"] = [{scheme: []} for scheme in _schemes_of(permission)]
    operation["x-permission"] = permission.value
    _drop_foreign_validation(operation["responses"])


def _schemes_of(permission: Permission) -> list[str]:
    if permission is Permission.OPEN:
        return []
    return ["token", "session"] if "admin" in ROLES_OF[permission] else ["token"]


def _drop_foreign_validation(responses: dict[str, dict[str, object]]) -> None:
    """FastAPI documents its own 422 body where a route does not; ours is a problem."""
    found = responses.get("422", {})
    content = found.get("content")
    if isinstance(content, dict) and "application/json" in content:
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        responses["422"] = {"description": "the input is wrong", "content": {problems.PROBLEM_TYPE: problem}}
