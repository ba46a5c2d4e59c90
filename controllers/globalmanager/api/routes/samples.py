"""Samples: upload, list, story, image, label."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Query, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from globalmanager.api.deps import (
    ADMIN_ONLY,
    API_PREFIX,
    READERS,
    REPORTERS,
    Admin,
    Job,
    PageQuery,
    Reporter,
    Services,
    accepts,
    problems,
)
from globalmanager.api.lookup import get_job
from globalmanager.api.picture_cache import PictureCache
from globalmanager.api.schemas import LabelBody, RemovalBody, job_path
from globalmanager.api.stored import stored_bytes
from globalmanager.db import sample_search, samples
from globalmanager.db.label_values import LabelState
from globalmanager.db.values import Part, SampleFilter, SamplePage, SampleRow, SampleStory
from globalmanager.ingest.intake import Stored, receive_sample
from globalmanager.ingest.removal import exclude_sample, include_sample
from globalmanager.labelling.service import label_sample
from sedna.common.errors import DataError
from sedna.common.pictures import MEDIA_TYPES
from sedna.common.types import MAX_LABEL, Picked, SampleRecord, Sha256
from sedna.common.validation import first_fault
from sedna.store.layout import sample_key

router = APIRouter(prefix=API_PREFIX, tags=["samples"])

MAX_NUMBER = 2**31 - 1
SampleId = Annotated[Sha256, Path(description="sha256 of the sample's bytes")]


class SampleStored(BaseModel):
    """The sample is stored for good."""

    sample_id: str
    created: bool = Field(description="false: the job had it already")
    repaired: bool = Field(
        default=False, description="what the store had of it was missing or damaged, and is whole now"
    )


@router.get(
    "/jobs/{namespace}/{name}/samples",
    dependencies=[READERS],
    operation_id="listSamples",
    summary="Samples, the newest first",
    responses=problems(404, 422),
)
def list_samples(
    services: Services, key: Job, page: Annotated[PageQuery, Depends()],
    picked: Annotated[Picked | None, Query(description="why it was kept")] = None,
    labelled: Annotated[bool | None, Query()] = None,
    part: Annotated[Part | None, Query(description="which share a labelled sample went to")] = None,
    edge: Annotated[str | None, Query(max_length=253)] = None,
    excluded: Annotated[bool, Query(description="those that were taken out instead")] = False,
    problem: Annotated[bool | None, Query(description="whether its bytes are missing or damaged")] = None,
    miner: Annotated[str | None, Query(max_length=253, description="whose verdict it has")] = None,
    min_score: Annotated[float | None, Query(description="of that verdict")] = None,
    max_score: Annotated[float | None, Query(description="of that verdict")] = None,
    label_state: Annotated[LabelState | None, Query(description="how far people are with it")] = None,
    class_number: Annotated[
        int | None, Query(alias="class", ge=0, le=MAX_LABEL, description="of its label or prediction")
    ] = None,
    round_id: Annotated[int | None, Query(alias="round", ge=1, le=MAX_NUMBER, description="that took it")] = None,
    wrong: Annotated[bool, Query(description="those about which the model in service is known to be wrong")] = False,
    since: Annotated[AwareDatetime | None, Query(description="received then or later")] = None,
    until: Annotated[AwareDatetime | None, Query(description="received before")] = None,
    count: Annotated[bool, Query(description="say how many there are on all pages")] = False,
) -> SamplePage:  # fmt: skip
    with services.db.read() as session:
        job = get_job(session, key)
        wanted = SampleFilter(
            picked=picked, labelled=labelled, part=part, edge=edge, excluded=excluded, problem=problem, miner=miner,
            min_score=min_score, max_score=max_score, label_state=label_state, class_number=class_number,
            round=round_id, since=since, until=until,
            # Models begin at 1: nobody is wrong where none is in service.
            wrong_version=(job.state.champion or 0) if wrong else None,
        )  # fmt: skip
        found = samples.list_page(session, job.id, wanted, limit=page.limit, cursor=page.cursor)
        total = sample_search.count(session, job.id, wanted) if count else None
    return found.model_copy(update={"total": total})


@router.get(
    "/jobs/{namespace}/{name}/samples/{sample_id}",
    dependencies=[READERS],
    operation_id="getSample",
    summary="The whole story of a sample: verdict, prediction, labels, dataset versions, models",
    responses=problems(404, 422),
)
def read_sample(services: Services, key: Job, sample_id: SampleId) -> SampleStory:
    with services.db.read() as session:
        return samples.story(session, get_job(session, key).id, sample_id)


@router.get(
    "/jobs/{namespace}/{name}/samples/{sample_id}/image",
    dependencies=[READERS],
    operation_id="getSampleImage",
    summary="The bytes of a sample",
    response_class=StreamingResponse,
    responses={200: {"content": {"image/*": {}}}, **problems(404, 422)},
)
def read_image(services: Services, key: Job, sample_id: SampleId) -> Response:
    with services.db.read() as session:
        record = samples.get(session, get_job(session, key).id, sample_id).record
    headers = {
        "ETag": f'"{sample_id}"',
        "Cache-Control": "private, max-age=31536000, immutable",  # the address names the content
        "Content-Disposition": f'inline; filename="{sample_id}.{record.extension}"',
    }
    # Anything else is served as bytes that no browser runs.
    media_type = MEDIA_TYPES.get(record.extension, "application/octet-stream")
    stored = sample_key(key, sample_id, record.extension)
    return stored_bytes(services, stored, media_type, headers, size=record.size, sha256=sample_id)


@router.put(
    "/jobs/{namespace}/{name}/samples/{sample_id}",
    operation_id="putSample",
    summary="Upload a sample; repeating it is harmless, and repairs what the store has lost of it",
    status_code=201,
    response_model=SampleStored,
    responses={
        200: {"description": "the job had this sample already", "model": SampleStored},
        **problems(404, 409, 413, 415, 422),
    },
    dependencies=[REPORTERS, accepts("multipart/form-data")],
)
def put_sample(
    services: Services, caller: Reporter, key: Job, sample_id: SampleId, response: Response,
    record: Annotated[str, Form(description="a SampleRecord as JSON")],
    image: UploadFile,
) -> SampleStored:  # fmt: skip
    """``sample_id`` is the sha256 of the image; an edge's token uploads samples of that edge only."""
    parsed = _record(record)
    # Before the image is read: a wrong record is refused without its megabytes in memory.
    if parsed.sample_id != sample_id:
        raise DataError(f"the record is of sample {parsed.sample_id}", where="record.sample_id", hint=sample_id)
    if parsed.job != key:
        raise DataError(f"the record is of job {parsed.job}", where="record.job", hint=str(key))
    with services.db.read() as session:
        get_job(session, key)
    now = services.clock.now()
    stored = receive_sample(services.db, services.store, caller, parsed, image.file.read(), now)
    created = stored is Stored.CREATED
    response.status_code = 201 if created else 200
    response.headers["Location"] = f"{job_path(key)}/samples/{sample_id}"
    return SampleStored(sample_id=sample_id, created=created, repaired=stored is Stored.REPAIRED)


@router.put(
    "/jobs/{namespace}/{name}/samples/{sample_id}/label",
    operation_id="labelSample",
    summary="Say what a sample shows; saying it again replaces the label and keeps the history",
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def put_label(services: Services, caller: Admin, key: Job, sample_id: SampleId, body: LabelBody) -> SampleRow:
    with services.db.read() as session:
        get_job(session, key)
    author = caller.author(body.author)
    now = services.clock.now()
    return label_sample(services.db, key, sample_id, body.annotation, author, now, holdout=body.holdout)


@router.put(
    "/jobs/{namespace}/{name}/samples/{sample_id}/exclusion",
    operation_id="excludeSample",
    summary="Take a sample out, with a reason; or delete it. Dataset versions that hold it say so",
    responses=problems(404, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def put_exclusion(
    request: Request, services: Services, caller: Admin, key: Job, sample_id: SampleId, body: RemovalBody
) -> SampleStory:
    with services.db.read() as session:
        get_job(session, key)
    found = exclude_sample(
        services.db,
        services.store,
        key,
        sample_id,
        reason=body.reason,
        author=caller.author(body.author),
        now=services.clock.now(),
        delete=body.delete,
    )
    if body.delete:
        pictures: PictureCache = request.app.state.pictures
        pictures.forget(key, sample_id)
    return found


@router.delete(
    "/jobs/{namespace}/{name}/samples/{sample_id}/exclusion",
    operation_id="includeSample",
    summary="Take a sample in again; one that was deleted has to be uploaded",
    responses=problems(404),
)
def delete_exclusion(services: Services, caller: Admin, key: Job, sample_id: SampleId) -> SampleStory:
    with services.db.read() as session:
        get_job(session, key)
    return include_sample(services.db, key, sample_id, caller.name, services.clock.now())


def _record(text: str) -> SampleRecord:
    try:
        return SampleRecord.model_validate_json(text)
    except ValidationError as error:
        fault = first_fault(error)
        where = f"record.{fault.path}" if fault.path else "record"
        raise DataError(fault.message, where=where, hint="a SampleRecord") from error
