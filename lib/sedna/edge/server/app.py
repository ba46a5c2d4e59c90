"""The routes of the Open Inference Protocol v2 over the jobs of an edge."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import JsonValue

from sedna.common.errors import MediaTypeError, NotFoundError, SednaError
from sedna.edge.image import decode_image
from sedna.edge.jobs import JobTable, ServedJob
from sedna.edge.lease import NoModelError
from sedna.edge.metrics import EdgeMetrics, labels_of
from sedna.edge.server.answers import model_metadata, output_tensors, response_parameters
from sedna.edge.server.body import read_body
from sedna.edge.server.documentation import serve_documentation
from sedna.edge.server.errors import RequestError, add_error_handlers, status_of
from sedna.edge.server.images import images_of
from sedna.edge.server.pool import BoundedPool
from sedna.edge.server.tensors import InferRequest, encode_response, parse_request
from sedna.edge.settings import ServerLimits

__all__ = ["create_app"]

HEADER_LENGTH = "Inference-Header-Content-Length"


class _Edge:
    """What the routes share."""

    def __init__(self, version: str, jobs: JobTable, limits: ServerLimits, metrics: EdgeMetrics) -> None:
        self.version = version
        self.jobs = jobs
        self.limits = limits
        self.metrics = metrics
        self.pool = BoundedPool(limits.threads, limits.queue)


def create_app(version: str, jobs: JobTable, metrics: EdgeMetrics, limits: ServerLimits | None = None) -> FastAPI:
    """The application. Close ``app.state.edge.pool`` when the server has ended.

    Args:
        version: of the software, as the server's metadata say.
        jobs: what is served; may change while the application runs.
        metrics: shown under ``/metrics``.
        limits: what a request may ask for.
    """
    app = FastAPI(title="Sedna edge", version=version, docs_url=None, redoc_url=None)
    app.state.edge = _Edge(version, jobs, limits or ServerLimits(), metrics)
    app.include_router(router)
    serve_documentation(app)
    add_error_handlers(app)
    return app


def _edge(request: Request) -> _Edge:
    edge: _Edge = request.app.state.edge
    return edge


Edge = Annotated[_Edge, Depends(_edge)]
router = APIRouter()


@router.get("/v2")
async def server_metadata(edge: Edge) -> dict[str, JsonValue]:
    """Name, version and extensions of this server."""
    return {"name": "sedna-edge", "version": edge.version, "extensions": ["binary_tensor_data"]}


@router.get("/v2/health/live")
async def live() -> dict[str, bool]:
    """The process answers."""
    return {"live": True}


@router.get("/v2/health/ready")
async def ready(edge: Edge) -> JSONResponse:
    """At least one model is in service, and has answered its self-test: what can be served, is.

    One job's readiness is its model's, under ``/v2/models/{name}/ready``: a job that cannot get its model must not take
    the others from their callers.
    """
    is_ready = any(job.slot.current is not None for job in edge.jobs.all())
    return JSONResponse({"ready": is_ready}, 200 if is_ready else 503, None if is_ready else {"Retry-After": "5"})


@router.get("/v2/models")
async def models(edge: Edge) -> dict[str, JsonValue]:
    """The models of this edge and their states."""
    return {"models": [_state(edge.jobs, job) for job in edge.jobs.all()]}


@router.get("/v2/models/{name}")
@router.get("/v2/models/{name}/versions/{version}")
async def model(edge: Edge, name: str, version: str | None = None) -> dict[str, JsonValue]:
    """Inputs and outputs of a model."""
    job = edge.jobs.find(name)
    current = job.slot.current
    if current is None:
        raise NoModelError(f"model {name!r} is not in service yet", retry_after=5.0)
    _require_version(name, version, current.id.version)
    return model_metadata(name, current.id.version, current.manifest.runtime)


@router.get("/v2/models/{name}/ready")
@router.get("/v2/models/{name}/versions/{version}/ready")
async def model_ready(edge: Edge, name: str, version: str | None = None) -> JSONResponse:
    """Whether the model answers requests."""
    current = edge.jobs.find(name).slot.current
    if current is None:
        return JSONResponse({"name": name, "ready": False}, 503, {"Retry-After": "5"})
    _require_version(name, version, current.id.version)
    return JSONResponse({"name": name, "ready": True})


@router.post("/v2/models/{name}/infer")
@router.post("/v2/models/{name}/versions/{version}/infer")
async def infer(edge: Edge, request: Request, name: str, version: str | None = None) -> Response:
    """Predict. The body is a request of the protocol (JSON or binary tensors), or one image with an image type."""
    job = edge.jobs.find(name)
    status = 500
    try:
        body = await read_body(request, edge.limits.body_bytes)
        started = time.perf_counter()
        header_length = _header_length(request)
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        response = await edge.pool.run(_infer, edge, job, name, version, body, kind, header_length)
        edge.metrics.request_seconds.labels(*labels_of(job.key)).observe(time.perf_counter() - started)
        status = 200
        return response
    except SednaError as error:
        status = status_of(error)
        raise
    finally:
        job.pipeline.counters.request(status)


@router.get("/metrics")
def prometheus(edge: Edge) -> Response:
    """Metrics in Prometheus' text format."""
    return Response(generate_latest(edge.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _infer(
    edge: _Edge, job: ServedJob, name: str, version: str | None, body: bytes, kind: str, header_length: int | None
) -> Response:
    """The part that computes; runs in a worker thread."""
    limits, bits = edge.limits, job.pipeline.bits_per_sample
    if header_length is None and kind.startswith("image/"):
        # A plain image is a request without a name: what curl can send is answered as well.
        request = InferRequest("", (), (), binary_output=False)
        images = [decode_image(body, max_pixels=limits.pixels, bits=bits)]
    elif header_length is not None or kind in ("application/json", ""):
        request = parse_request(body, header_length)
        images = images_of(request, max_images=limits.images, max_pixels=limits.pixels, bits=bits)
    else:
        raise MediaTypeError(
            f"Content-Type {kind!r} is not read here",
            hint=f"application/json, image/*, or binary tensors with {HEADER_LENGTH}",
        )
    served, results = job.pipeline.handle(images, request.id, _wanted(name, version))
    head: dict[str, JsonValue] = {
        "model_name": name,
        "model_version": str(served),
        "parameters": response_parameters(served, results),
    }
    if request.id:
        head["id"] = request.id
    content, json_length = encode_response(head, output_tensors(results), request)
    if json_length is None:
        return Response(content, media_type="application/json")
    return Response(content, media_type="application/octet-stream", headers={HEADER_LENGTH: str(json_length)})


def _header_length(request: Request) -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not text.isdecimal():
        raise RequestError(f"{text!r} is no length", where=HEADER_LENGTH)
    return int(text)


def _wanted(name: str, version: str | None) -> int | None:
    if version is None:
        return None
    if not version.isdecimal():
        raise NotFoundError(f"model {name!r} has no version {version!r}", hint="versions are 1, 2, 3...")
    return int(version)


def _require_version(name: str, version: str | None, served: int) -> None:
    if _wanted(name, version) not in (None, served):
        raise NotFoundError(f"version {version} of model {name!r} is not served", hint=f"version {served} is")


def _state(jobs: JobTable, job: ServedJob) -> JsonValue:
    status = job.slot.status
    return {
        "name": jobs.name(job),
        "version": str(status.version) if status.version else "",
        "state": "READY" if status.state == "serving" else "UNAVAILABLE",
        "reason": status.reason,
    }
