"""What a worker may ask for with the token of its attempt: its order, its inputs, a place for its results."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Hashable
from datetime import timedelta
from typing import Annotated, BinaryIO, cast

from fastapi import APIRouter, Depends, Header, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from globalmanager.api.deps import API_PREFIX, Caller, Services, accepts, problems
from globalmanager.api.routes.samples import stored_bytes
from globalmanager.api.services import ApiServices
from globalmanager.db import jobs, workers
from globalmanager.db.values import JobRow, WorkerProgress, WorkerRow
from globalmanager.engine.work.orders import prefix_of
from globalmanager.engine.work.reports import receive_report
from sedna.common.errors import AuthError, DataError, NotFoundError
from sedna.core.report import WorkerReport
from sedna.core.staging.order import WorkOrder, load_order
from sedna.core.staging.stage_out import may_write
from sedna.store.base import ObjectInfo, ObjectStore, check_key

router = APIRouter(prefix=f"{API_PREFIX}/worker", tags=["workers"])

_IN_MEMORY = 8 << 20
_REMEMBERED = 8
"""Orders whose inputs are known at a time; of one with 100,000 samples they take some 10 MB."""


class CallingWorker:
    """The attempt behind the token."""

    def __init__(self, services: Services, caller: Caller) -> None:
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
            hint = f"result.json, failure.json, end.json and files/ below {order.prefix}, and its checkpoints"
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
def read_object(worker: Worker, key: str) -> Response:
    worker.require_readable(check_key(key))
    services = worker.services
    address = services.store.presign_get(key, timedelta(seconds=services.settings.presign_seconds))
    if address is not None:
        return RedirectResponse(address, status_code=307)
    found = services.store.stat(key)
    if found is None:
        raise NotFoundError("there is no such object", where=key)
    return stored_bytes(services, key, "application/octet-stream", {"Content-Length": str(found.size)})


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
    dependencies=[accepts("application/json")],
)
def progress(worker: Worker, body: WorkerProgress) -> None:
    with worker.services.db.write() as session:
        workers.progressed(session, worker.row.id, body)


@router.post(
    "/report",
    operation_id="postWorkReport",
    summary="That this worker has reported: the result itself is in the store; repeating it is harmless",
    status_code=204,
    responses=problems(413, 415, 422),
    dependencies=[accepts("application/json")],
)
def report(worker: Worker, body: WorkerReport) -> None:
    if body.name != worker.row.name:
        raise DataError(f"the report is of worker {body.name!r}", where="name", hint=worker.row.name)
    receive_report(worker.services.db, worker.row.name, body, worker.services.clock.now())
    worker.services.engine.wake()
