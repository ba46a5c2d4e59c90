"""Events as they happen: server-sent events that can be taken up again where they broke off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from globalmanager.api.deps import API_PREFIX, READERS, Job, Services, problems
from globalmanager.api.lookup import get_job
from globalmanager.api.middleware.authenticate import Identity
from globalmanager.api.services import ApiServices
from globalmanager.db import events
from globalmanager.db.values import EventRow
from sedna.common.errors import AuthError, SpecError, TemporaryError
from sedna.common.types import JobKey

router = APIRouter(prefix=API_PREFIX, tags=["events"])

_DESCRIPTION: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}

LastEventId = Annotated[str | None, Header(description="go on after this event")]
After = Annotated[
    int | None, Query(ge=0, le=2**63 - 1, description="as Last-Event-ID; 0 = from the oldest that is kept")
]
Named = Annotated[
    bool,
    Query(description="false: without the field 'event', which is the kind in the data; a browser then needs one ear"),
]
Follow = Annotated[bool, Query(description="false: end after the events there are")]


@router.get(
    "/events",
    dependencies=[READERS],
    operation_id="streamEvents",
    summary="Events of all jobs as server-sent events; without Last-Event-ID from now on",
    response_class=StreamingResponse,
    responses={**_DESCRIPTION, **problems(422)},
)
async def all_events(
    request: Request, services: Services,
    last_event_id: LastEventId = None, after: After = None, follow: Follow = True, named: Named = True,
) -> StreamingResponse:  # fmt: skip
    return await _answer(request, services, None, last_event_id, after, follow=follow, named=named)


@router.get(
    "/jobs/{namespace}/{name}/events",
    dependencies=[READERS],
    operation_id="streamJobEvents",
    summary="Events of one job as server-sent events; without Last-Event-ID from now on",
    response_class=StreamingResponse,
    responses={**_DESCRIPTION, **problems(404, 422)},
)
async def job_events(
    request: Request, services: Services, key: Job,
    last_event_id: LastEventId = None, after: After = None, follow: Follow = True, named: Named = True,
) -> StreamingResponse:  # fmt: skip
    return await _answer(request, services, key, last_event_id, after, follow=follow, named=named)


async def _answer(
    request: Request,
    services: ApiServices,
    key: JobKey | None,
    header: str | None,
    after: int | None,
    *,
    follow: bool,
    named: bool,
) -> StreamingResponse:
    def find() -> tuple[int | None, int]:
        with services.db.read() as session:
            job_id = get_job(session, key).id if key is not None else None
            return job_id, _start(header, after, events.newest_id(session))

    job_id, start = await run_in_threadpool(find)
    body = _stream(request, services, job_id, start, follow=follow, named=named)
    # Proxies collect answers before they pass them on; an event would arrive with the next hundred.
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(body, media_type="text/event-stream", headers=headers)


def _start(header: str | None, after: int | None, newest: int) -> int:
    if header is None:
        return newest if after is None else after
    if not header.isascii() or not header.isdigit() or len(header) > 18:
        raise SpecError(f"{header!r} is not an event id", where="Last-Event-ID", hint="the id of a received event")
    return int(header)


async def _stream(
    request: Request, services: ApiServices, job_id: int | None, last: int, *, follow: bool, named: bool
) -> AsyncIterator[str]:
    """Polls: events are rare, and one small query twice a second is nothing beside a broker to run."""

    def fetch(after: int) -> tuple[EventRow, ...]:
        with services.db.read() as session:
            return events.after(session, after, job_id=job_id)

    identity: Identity = request.scope["state"]["identity"]
    quiet = 0.0
    yield "retry: 2000\n\n"
    while not services.stopping.is_set():
        try:
            found = await run_in_threadpool(fetch, last)
        except TemporaryError as error:
            yield f": {error.message}\n\n"
            return  # the reader comes back with Last-Event-ID
        for event in found:
            # Moved on before it is sent: a reader that goes away here asks again with the id that it has got.
            last = event.id
            kind = f"event: {event.kind}\n" if named else ""
            yield f"id: {event.id}\n{kind}data: {event.model_dump_json()}\n\n"
        if found:
            continue
        if not follow or await request.is_disconnected():
            return
        await asyncio.sleep(services.settings.sse_poll_seconds)
        quiet += services.settings.sse_poll_seconds
        if quiet >= services.settings.sse_heartbeat_seconds:
            quiet = 0.0
            # Whoever was let in may have lost the right since: a stream stays open for days. If the database does not
            # answer, the reader comes back and is asked then.
            try:
                await run_in_threadpool(identity.principal)
            except (AuthError, TemporaryError) as error:
                yield f": {error.message}\n\n"
                return
            # A comment line: it keeps proxies from closing the connection, and readers ignore it.
            yield ": alive\n\n"
