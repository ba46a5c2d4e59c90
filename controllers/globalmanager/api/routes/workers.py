"""What a worker may ask for with the token of its attempt: its order, its inputs, a place for its results."""

from __future__ import annotations

import asyncio
import functools
import tempfile
from collections.abc import Hashable
from datetime import timedelta
from typing import Annotated, BinaryIO, Literal, cast

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from globalmanager.api.deps import API_PREFIX, OPEN, WORKERS, Services, WorkerCaller, accepts, problems
from globalmanager.api.middleware.authenticate import bearer
from globalmanager.api.services import ApiServices
from globalmanager.api.stored import stored_bytes
from globalmanager.db import jobs, tokens, workers
from globalmanager.db.values import JobRow, WorkerProgress, WorkerRow
from globalmanager.engine.work.orders import prefix_of
from globalmanager.engine.work.reports import receive_report
from globalmanager.runtimes.base import WorkerHandle
from sedna.common.errors import AuthError, DataError, NotFoundError
from sedna.core.report import WorkerReport
from sedna.core.staging.direct import UploadAddress
from sedna.core.staging.order import WorkOrder, load_order
from sedna.core.staging.service_link import ProgramState
from sedna.core.staging.stage_out import may_write
from sedna.loop.observation import WorkerPhase
from sedna.store.base import ObjectInfo, ObjectStore, check_key

router = APIRouter(prefix=f"{API_PREFIX}/worker", tags=["workers"])
pod_router = APIRouter(prefix=API_PREFIX, tags=["workers"])

_IN_MEMORY = 8 << 20
_REMEMBERED = 8
"""Orders whose inputs are known at a time; of one with 100,000 samples they take some 10 MB."""


_LOOK_SECONDS = 0.25
"""Between two looks at what the watch over the cluster has seen, which is in memory."""


class PodToken(BaseModel):
    """What a Pod gets for its own token."""

    token: str = Field(description="bearer token for /api/v1/worker/...")
    worker: str


class CallingWorker:
    """The attempt behind the token."""

    def __init__(self, services: Services, caller: WorkerCaller) -> None:
        name = caller.require_worker()
        with services.db.read() as session:
            row = workers.by_name(session, name)
            assert row is not None, "the token was valid a moment ago"
            self.row: WorkerRow = row
            self.job: JobRow = jobs.by_id(session, row.job_id)
        self.services: ApiServices = services
        self.prefix = prefix_of(self.job, row.round, row.stage, row.attempt)

    @property
    def order(self) -> WorkOrder:
        """What it has to do."""
        key = f"{self.prefix}order.json"
        return load_order(self.services.store.get(key), key)

    def require_readable(self, key: str) -> None:
        """Raise `AuthError` unless the object is an input of this attempt, or a result of it."""
        # Before the order is read: most objects are results, and the order costs a read of the store.
        if key.startswith(self.prefix):
            return
        order = self.order
        if order.checkpoints is not None and key.startswith(order.checkpoints):
            return
        if key not in _inputs(cast(Hashable, self.services.store), order.key):
            raise AuthError("this is no input of this worker", where=key, hint="its order lists them", forbidden=True)

    def require_writable(self, key: str) -> None:
        """Raise `AuthError` unless the object is a result of this attempt, or a checkpoint of its round."""
        order = self.order
        if not may_write(order, key):
            notes = "result.json, failure.json, end.json, problems.json"
            hint = f"{notes} and files/ below {order.prefix}, and its checkpoints"
            raise AuthError("this worker may not write here", where=key, hint=hint, forbidden=True)


Worker = Annotated[CallingWorker, Depends()]


@functools.lru_cache(maxsize=_REMEMBERED)
def _inputs(store: Hashable, order_key: str) -> frozenset[str]:
    """The keys that an order lets its worker read. An order never changes, so they are computed once."""
    reader = cast(ObjectStore, store)
    return frozenset(load_order(reader.get(order_key), order_key).inputs(reader))


@router.get(
    "/order",
    operation_id="getWorkOrder",
    summary="What this worker has to do, by store key and sha256",
    responses=problems(404),
)
def read_order(worker: Worker) -> WorkOrder:
    return worker.order


@router.get(
    "/objects/{key:path}",
    operation_id="getWorkObject",
    summary="The bytes of an input or a result of this worker, or the way to them",
    response_model=None,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        307: {"description": "the store hands the object out itself, at this address, for some minutes"},
        **problems(404, 422),
    },
)
def read_object(worker: Worker, key: str, through: Literal["service"] | None = None) -> Response:
    """``through=service``: the bytes in any case, for who cannot reach the store."""
    worker.require_readable(check_key(key))
    services = worker.services
    if through is None:
        address = services.store.presign_get(key, timedelta(seconds=services.settings.presign_seconds))
        if address is not None:
            return RedirectResponse(address, status_code=307)
    found = services.store.stat(key)
    if found is None:
        raise NotFoundError("there is no such object", where=key)
    return stored_bytes(services, key, "application/octet-stream", {}, size=found.size)


@router.put(
    "/objects/{key:path}",
    operation_id="putWorkObject",
    summary="Store a result of this worker; with If-None-Match: * only if it is not there",
    responses=problems(412, 413, 422),
)
async def write_object(
    worker: Worker, request: Request, key: str, if_none_match: Annotated[str | None, Header()] = None
) -> ObjectInfo:
    worker.require_writable(check_key(key))
    # A condition that is passed over would store what its sender did not want stored.
    if if_none_match not in (None, "*"):
        raise DataError(f"{if_none_match!r} is not understood", where="If-None-Match", hint="*, or no such header")
    # On disk from some size on: models of several workers at once do not fit into memory.
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
        async for chunk in request.stream():
            await run_in_threadpool(body.write, chunk)
        body.seek(0)
        return await run_in_threadpool(_store, worker.services.store, key, cast(BinaryIO, body), if_none_match)


def _store(store: ObjectStore, key: str, body: BinaryIO, if_none_match: str | None) -> ObjectInfo:
    if if_none_match is None:
        return store.put(key, body)
    if not store.put_if_absent(key, body):
        raise HTTPException(412, "the object is there already")
    found = store.stat(key)
    assert found is not None, "it was stored a moment ago"
    return found


@router.get(
    "/uploads/{key:path}",
    operation_id="getWorkUpload",
    summary="Where to PUT a large result: at the store itself, at this address, for some minutes",
    response_model=None,
    responses={
        200: {"model": UploadAddress, "description": "PUT the file there, with these headers"},
        204: {"description": "the store takes nothing but through this service"},
        **problems(412, 422),
    },
)
def upload_address(worker: Worker, key: str, absent: bool = False) -> UploadAddress | Response:
    """``absent=true``: 412 if the object is there, now or when it is sent."""
    worker.require_writable(check_key(key))
    store = worker.services.store
    # Notes go through the service: with an address, one could be written after its attempt is over. What is named by
    # its sha256 can only be right or damaged, and whoever reads it looks.
    if "/files/" not in key:
        return Response(status_code=204)
    if absent and store.stat(key) is not None:
        raise HTTPException(412, "the object is there already")
    signed = store.presign_put(key, timedelta(seconds=worker.services.settings.presign_seconds), absent=absent)
    if signed is None:
        return Response(status_code=204)
    return UploadAddress(url=signed.url, headers=signed.headers)


@router.delete(
    "/objects/{key:path}",
    operation_id="deleteWorkObject",
    summary="Delete a result of this worker, such as a checkpoint that a newer one replaces",
    status_code=204,
    responses=problems(422),
)
def delete_object(worker: Worker, key: str) -> None:
    worker.require_writable(check_key(key))
    worker.services.store.delete(key)


@router.put(
    "/progress",
    operation_id="putWorkProgress",
    summary="How far this worker is",
    status_code=204,
    responses=problems(415, 422),
    dependencies=[WORKERS, accepts("application/json")],
)
def progress(worker: Worker, body: WorkerProgress) -> None:
    with worker.services.db.write() as session:
        workers.progressed(session, worker.row.id, body)


@router.get(
    "/program",
    operation_id="getWorkProgram",
    summary="Whether the program of this worker, in a container of its own, has ended; answered when it has",
    responses=problems(404),
)
async def program(
    worker: Worker, wait: Annotated[float, Query(ge=0, le=60, description="seconds until the answer is no")] = 0
) -> ProgramState:
    services = worker.services
    if services.pods is None:
        raise NotFoundError("workers are no Pods here", where="/program", hint="who started the program knows its end")
    handle = WorkerHandle(name=worker.row.name, place=worker.row.handle)
    loop = asyncio.get_running_loop()
    until = loop.time() + wait
    while True:
        state = services.pods.program(handle)
        # A shutdown waits for open requests: whoever asks will ask the next replica.
        if state.ended or services.stopping.is_set() or loop.time() >= until:
            return state
        await asyncio.sleep(_LOOK_SECONDS)


@pod_router.post(
    "/worker-token",
    dependencies=[OPEN],
    operation_id="postWorkerToken",
    summary="The token of an attempt, for the token by which its Pod says who it is",
    responses=problems(),
)
def give_token(services: Services, authorization: Annotated[str | None, Header()] = None) -> PodToken:
    """The bearer token here is not one of this service, but a projected one of the cluster, for our audience."""
    if services.pods is None:
        raise AuthError("workers are no Pods here", hint="the service runs without a cluster", forbidden=True)
    handle = services.pods.identify(bearer(authorization))
    with services.db.write() as session:
        row = workers.by_name(session, handle.name)
        if row is None or row.handle != handle.place or row.phase not in (WorkerPhase.PENDING, WorkerPhase.RUNNING):
            raise AuthError(
                "the attempt of this Pod is over, or is none of this service",
                where=f"Pod {handle.place['namespace']}/{handle.place['pod']}",
                hint="nobody waits for its results",
                forbidden=True,
            )
        return PodToken(token=tokens.create_for_worker(session, row.name, services.clock.now()), worker=row.name)


@router.post(
    "/report",
    operation_id="postWorkReport",
    summary="That this worker has reported: the result itself is in the store; repeating it is harmless",
    status_code=204,
    responses=problems(413, 415, 422),
    dependencies=[WORKERS, accepts("application/json")],
)
def report(worker: Worker, body: WorkerReport) -> None:
    if body.name != worker.row.name:
        raise DataError(f"the report is of worker {body.name!r}", where="name", hint=worker.row.name)
    receive_report(worker.services.db, worker.row.name, body, worker.services.clock.now())
    worker.services.engine.wake()
