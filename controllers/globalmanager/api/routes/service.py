"""Health and metrics of the service, for machines; they need no token."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from globalmanager.api.deps import Services, problems
from globalmanager.api.health import liveness
from globalmanager.api.health_lane import ReadinessLane
from globalmanager.api.metrics import Metrics
from globalmanager.api.schemas import Readiness

router = APIRouter(tags=["service"])

Store = Annotated[
    bool,
    Query(
        description="false = without the object store. Replicas share it: were all taken from their callers when it is "
        "away, heartbeats and reports would find nobody either"
    ),
]

_EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


@router.get(
    "/healthz",
    operation_id="healthz",
    summary="The process answers, and its engine comes round",
    description="``degraded`` with a reason while the object store is away or a disk is full. No restart cures that: "
    "the status code stays 200.",
    responses={503: {"description": "it needs a restart"}},
)
async def healthz(services: Services, response: Response) -> dict[str, str]:
    state = liveness(services)
    response.status_code = 200 if state == "ok" else 503
    trouble = services.store_trouble()
    if state == "ok" and trouble is not None:
        return {"status": "degraded", "reason": trouble}
    return {"status": state}


@router.get(
    "/readyz",
    operation_id="readyz",
    summary="Database, store and engine answer",
    responses={422: problems(422)[422], 503: {"description": "a part does not", "model": Readiness}},
)
async def readyz(request: Request, response: Response, store: Store = True) -> Readiness:
    lane: ReadinessLane = request.app.state.readiness
    found = await lane.ask(store=store)
    response.status_code = 200 if found.ready else 503
    return found


@router.get("/metrics", operation_id="metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
def metrics(request: Request) -> Response:
    collected: Metrics = request.app.state.metrics
    return Response(collected.render(), headers={"Content-Type": _EXPOSITION})
