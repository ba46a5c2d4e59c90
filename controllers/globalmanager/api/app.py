"""The application: middleware, routes, documentation."""

from __future__ import annotations

import re

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from globalmanager.api import problems
from globalmanager.api.deps import API_PREFIX
from globalmanager.api.health_lane import ReadinessLane
from globalmanager.api.metrics import Metrics
from globalmanager.api.middleware.authenticate import Authenticate
from globalmanager.api.middleware.body_limit import BodyLimit, LimitRule
from globalmanager.api.middleware.context import RequestContext
from globalmanager.api.middleware.shed import Lanes, Shed
from globalmanager.api.routes import (
    edges,
    event_stream,
    jobs,
    labelling,
    labels,
    models,
    overview,
    resources,
    samples,
    service,
    tokens,
    triggers,
    worker_reports,
    workers,
)
from globalmanager.api.services import ApiServices, ApiSettings
from sedna import __version__
from sedna.edge.server.documentation import serve_documentation

__all__ = ["create_app"]

_REF = "#/components/schemas/{model}"

_DESCRIPTION = """\
Edge-cloud incremental learning: jobs, samples, labels, rounds, models, edges.

Everything under `/api/v1` needs `Authorization: Bearer TOKEN`. Errors are `application/problem+json` (RFC 9457) with
`where` (the thing that is wrong) and `hint` (what would be right). Lists with `next` are read page by page: pass it on
as `?cursor=`.
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
    app.state.readiness = ReadinessLane(services)
    problems.install(app)
    for module in (
        resources, jobs, triggers, samples, labels, labelling, models, edges, worker_reports, workers, tokens,
        event_stream, overview,
    ):  # fmt: skip
        app.include_router(module.router)
    app.include_router(workers.pod_router)
    app.include_router(service.router)
    # The last one added is the outermost.
    # Authentication is innermost, so that a refused request is counted, has an id and cannot send a large body.
    app.add_middleware(Authenticate, authenticator=services.authenticator)
    app.add_middleware(BodyLimit, rules=_limits(services.settings), default=services.settings.max_body_bytes)
    # Before anything that costs: what is turned away under load has taken no thread and no connection to the database.
    app.add_middleware(Shed, lanes=_lanes(services.settings))
    app.add_middleware(RequestContext, metrics=app.state.metrics)
    _document(app)
    serve_documentation(app)
    return app


def _lanes(settings: ApiSettings) -> Lanes:
    return Lanes(
        lists=settings.lists,
        lists_waiting=settings.lists_waiting,
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
    """OpenAPI with the security scheme that the middleware enforces, and problems instead of FastAPI's own 422."""

    def openapi() -> dict[str, object]:
        if app.openapi_schema is None:
            schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            components = schema.setdefault("components", {})
            components["schemas"]["Problem"] = problems.Problem.model_json_schema(ref_template=_REF)
            part = components["schemas"]["Problem"].pop("$defs")
            components["schemas"].update(part)
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for path, operations in schema["paths"].items():
                if path.startswith(API_PREFIX):
                    for operation in operations.values():
                        operation["security"] = [{"token": []}]
                        _drop_foreign_validation(operation["responses"])
            # Named by no route any more, and clients made from the document would carry them along.
            for name in ("HTTPValidationError", "ValidationError"):
                components["schemas"].pop(name, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _drop_foreign_validation(responses: dict[str, dict[str, object]]) -> None:
    """FastAPI documents its own 422 body where a route does not; ours is a problem."""
    found = responses.get("422", {})
    content = found.get("content")
    if isinstance(content, dict) and "application/json" in content:
        problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
        responses["422"] = {"description": "the input is wrong", "content": {problems.PROBLEM_TYPE: problem}}
