"""Samples as people look at them: small for a grid, and of a size that a browser can draw on."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from globalmanager.api.deps import API_PREFIX, READERS, Job, Services, problems
from globalmanager.api.lookup import get_job
from globalmanager.api.picture_cache import PictureCache
from globalmanager.api.routes.samples import SampleId
from globalmanager.api.services import ApiServices
from globalmanager.api.stored import stored_whole
from globalmanager.db import exclusions, samples
from sedna.common.pictures import SmallPicture, as_shown, scaled
from sedna.common.types import JobKey, SampleRecord
from sedna.store.layout import sample_key

router = APIRouter(prefix=API_PREFIX, tags=["samples"])

DRAWING_SIDE: Final = 4096
"""Pixels; browsers draw larger pictures slowly, or not at all."""

_DAY: Final = "private, max-age=86400"

_PICTURE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"image/webp": {}, "image/jpeg": {}, "image/png": {}}},
    304: {"description": "as it was"},
}


@router.get(
    "/jobs/{namespace}/{name}/samples/{sample_id}/thumbnail",
    dependencies=[READERS],
    operation_id="getSampleThumbnail",
    summary="A small picture of a sample, upright",
    response_model=None,
    responses={**_PICTURE, **problems(404, 409, 413, 422)},
)
async def read_thumbnail(
    request: Request, services: Services, key: Job, sample_id: SampleId,
    side: Annotated[int, Query(ge=16, le=1024, description="pixels, of the longer side")] = 256,
) -> Response:  # fmt: skip
    record, bits = await run_in_threadpool(_find, services, key, sample_id)
    form = f"{side}" if bits is None else f"{side}-{bits}"
    tag = f'"{sample_id}-{form}"'
    headers = {"ETag": tag, "Cache-Control": _DAY}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    cache: PictureCache = request.app.state.pictures
    content = await run_in_threadpool(cache.get, key, sample_id, form)
    if content is None:
        decoders: asyncio.Semaphore = request.app.state.decoders
        # Outside the threads: a page of the grid asks for some sixty, and heartbeats must find a thread meanwhile.
        async with decoders:
            if await request.is_disconnected():
                return Response(status_code=499)  # it was scrolled past; nobody reads this
            content = await run_in_threadpool(_make, services, cache, record, form, side, bits)
    return Response(content, headers=headers, media_type="image/webp")


@router.get(
    "/jobs/{namespace}/{name}/samples/{sample_id}/drawing",
    dependencies=[READERS],
    operation_id="getSampleDrawing",
    summary="A sample to draw on: at most 4096 pixels wide and high; X-Width and X-Height say how large it really is",
    response_model=None,
    responses={**_PICTURE, **problems(404, 409, 413, 422)},
)
async def read_drawing(request: Request, services: Services, key: Job, sample_id: SampleId) -> Response:
    record, bits = await run_in_threadpool(_find, services, key, sample_id)
    tag = f'"{sample_id}-drawing"' if bits is None else f'"{sample_id}-drawing-{bits}"'
    size = {"X-Width": str(record.width), "X-Height": str(record.height)}
    headers = {"ETag": tag, "Cache-Control": _DAY, **size}
    if _has(request, tag):
        return Response(status_code=304, headers=headers)
    decoders: asyncio.Semaphore = request.app.state.decoders
    async with decoders:
        picture = await run_in_threadpool(_drawing, services, record, bits)
    return Response(picture.content, headers=headers, media_type=picture.media_type)


def _find(services: ApiServices, key: JobKey, sample_id: str) -> tuple[SampleRecord, int | None]:
    with services.db.read() as session:
        job = get_job(session, key)
        record = samples.get(session, job.id, sample_id).record
        # Of one that was deleted for good nothing is shown, whatever a cache has of it.
        exclusions.require_kept(session, job.id, sample_id)
    return record, job.spec.pictures.bits_per_sample


def _has(request: Request, tag: str) -> bool:
    return tag in (part.strip() for part in request.headers.get("if-none-match", "").split(","))


def _bytes_of(services: ApiServices, record: SampleRecord) -> bytes:
    stored = sample_key(record.job, record.sample_id, record.extension)
    return stored_whole(services, stored, size=record.size, sha256=record.sample_id)


def _make(
    services: ApiServices, cache: PictureCache, record: SampleRecord, form: str, side: int, bits: int | None
) -> bytes:
    # Another request may have made it while this one has waited.
    content = cache.get(record.job, record.sample_id, form)
    if content is None:
        where = f"sample {record.sample_id}"
        content = scaled(_bytes_of(services, record), side, bits=bits, where=where).content
        cache.put(record.job, record.sample_id, form, content)
    return content


def _drawing(services: ApiServices, record: SampleRecord, bits: int | None) -> SmallPicture:
    data, where = _bytes_of(services, record), f"sample {record.sample_id}"
    shown = as_shown(data, DRAWING_SIDE, bits=bits, where=where)
    return shown if shown is not None else scaled(data, DRAWING_SIDE, bits=bits, where=where, fine=True)
