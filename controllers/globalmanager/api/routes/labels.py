"""What to label next, labels made in other tools, and the dataset versions that grew from labels."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Body, Depends, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from globalmanager.api.deps import ADMIN_ONLY, API_PREFIX, READERS, Admin, Job, PageQuery, Services, accepts, problems
from globalmanager.api.lookup import get_job
from globalmanager.db import datasets
from globalmanager.db.values import DatasetVersionDetail, DatasetVersionRow, Page, Part
from globalmanager.ingest.label_import import ImportReport, ImportWish, import_labels
from globalmanager.labelling.export import ExportWish, prepare_export
from globalmanager.labelling.predicting import GivenPrediction, PredictionsStored, store_predictions
from globalmanager.labelling.queue import Order, QueuedSample, labelling_queue
from sedna.common.label_format import ExportFormat, LabelFormat, PictureState
from sedna.common.types import Picked

router = APIRouter(prefix=API_PREFIX, tags=["labels"])

_MEDIA_TYPES = (
    "application/json",
    "text/plain",
    "text/csv",
    "application/x-ndjson",
    "application/xml",
    "application/zip",
    "application/octet-stream",
)
_EXPORTED = ("application/json", "application/x-ndjson", "application/xml", "application/zip", "text/csv")


@router.post(
    "/jobs/{namespace}/{name}/labels:import",
    operation_id="importLabels",
    summary="Labels from a file, or from a zip or tar of files; images are matched by file name or sample id",
    responses=problems(404, 413, 415, 422),
    dependencies=[ADMIN_ONLY, accepts(*_MEDIA_TYPES)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _MEDIA_TYPES},
        }
    },
)
async def import_file(
    request: Request, services: Services, caller: Admin, key: Job,
    file_format: Annotated[LabelFormat, Query(alias="format")],
    mode: Annotated[
        Literal["strict", "clip"],
        Query(
            description="strict: anything wrong refuses the file; clip: boxes are cut at the image's edge, what is "
            "wrong is left out, and the rest goes in"
        ),
    ] = "strict",
    author: Annotated[str | None, Query(min_length=1, max_length=253, description="default: the token's name")] = None,
    holdout: Annotated[
        bool, Query(description="labels of the frozen hold-out may change; evaluations that used them are marked")
    ] = False,
    filename: Annotated[str, Query(max_length=253, description="what messages call the file")] = "",
) -> ImportReport:  # fmt: skip
    data = await request.body()

    def work() -> ImportReport:
        with services.db.read() as session:
            get_job(session, key)
        who = caller.author(author)
        wish = ImportWish(label_format=file_format, mode=mode, author=who, holdout=holdout, name=filename)
        return import_labels(services.db, key, data, wish, services.clock.now())

    return await run_in_threadpool(work)


@router.get(
    "/jobs/{namespace}/{name}/labels:export",
    dependencies=[READERS],
    operation_id="exportLabels",
    summary="Labels as a file of another tool, or a zip of files; what shows nothing, has no label or was excluded is "
    "told apart",
    response_class=StreamingResponse,
    responses={
        200: {
            "content": {kind: {} for kind in sorted(_EXPORTED)},
            "headers": {
                "Content-Disposition": {"schema": {"type": "string"}, "description": "a name for the file"},
                "X-Pictures": {"schema": {"type": "string"}, "description": "how many of each state: labelled=3, ..."},
            },
        },
        **problems(404, 422),
    },
)
def export_file(
    services: Services, key: Job,
    file_format: Annotated[ExportFormat, Query(alias="format")],
    pictures: Annotated[bool, Query(description="with the pictures, as a zip")] = False,
    state: Annotated[
        list[PictureState] | None,
        Query(description="pictures in these states alone; negative: the label says that nothing is there"),
    ] = None,
    part: Annotated[Part | None, Query(description="of this share alone")] = None,
    edge: Annotated[str | None, Query(max_length=253, description="from this edge alone")] = None,
    picked: Annotated[Picked | None, Query(description="kept for this reason alone")] = None,
    label_class: Annotated[
        str, Query(alias="class", max_length=253, description="whose label has this class")
    ] = "",
    image_url: Annotated[
        str, Query(max_length=2000, description="put before the names of pictures in Label Studio's tasks")
    ] = "",
) -> StreamingResponse:  # fmt: skip
    with services.db.read() as session:
        get_job(session, key)
    wish = ExportWish(
        export_format=file_format, pictures=pictures, states=frozenset(state or PictureState), part=part, edge=edge,
        picked=picked, label_class=label_class, image_url=image_url,
    )  # fmt: skip
    found = prepare_export(services.db, services.store, key, wish)
    headers = {
        "Content-Disposition": f'attachment; filename="{key.name}-{file_format}.{found.suffix}"',
        "X-Pictures": ", ".join(f"{name}={count}" for name, count in found.counts.items()),
    }
    return StreamingResponse(found.chunks(), media_type=found.media_type, headers=headers)


@router.get(
    "/jobs/{namespace}/{name}/labels:queue",
    dependencies=[READERS],
    operation_id="labellingQueue",
    summary="Samples without a label, the one worth most first",
    responses=problems(404, 422),
)
def read_queue(
    services: Services, key: Job,
    order: Annotated[Order, Query(description="what comes first, by the prediction recorded with each sample")] = (
        Order.ENTROPY
    ),
    limit: Annotated[int, Query(ge=1, le=1000, description="samples")] = 20,
    balanced: Annotated[bool, Query(description="equal shares of the predicted classes")] = False,
) -> tuple[QueuedSample, ...]:  # fmt: skip
    with services.db.read() as session:
        get_job(session, key)
    return labelling_queue(services.db, key, order, limit, balanced=balanced)


@router.post(
    "/jobs/{namespace}/{name}/predictions",
    operation_id="storePredictions",
    summary="What a teacher or a later model says of samples: suggestions to people, and their order in the queue",
    responses=problems(404, 413, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def post_predictions(
    services: Services, key: Job,
    body: Annotated[list[GivenPrediction], Body(min_length=1, max_length=10_000)],
) -> PredictionsStored:  # fmt: skip
    with services.db.read() as session:
        get_job(session, key)
    return store_predictions(services.db, key, body, services.clock.now())


@router.get(
    "/jobs/{namespace}/{name}/datasets",
    dependencies=[READERS],
    operation_id="listDatasetVersions",
    summary="Dataset versions, the newest first",
    responses=problems(404, 422),
)
def list_versions(
    services: Services,
    key: Job,
    page: Annotated[PageQuery, Depends()],
) -> Page[DatasetVersionRow]:
    with services.db.read() as session:
        return datasets.list_page(session, get_job(session, key).id, limit=page.limit, cursor=page.cursor)


@router.get(
    "/jobs/{namespace}/{name}/datasets/{version}",
    dependencies=[READERS],
    operation_id="getDatasetVersion",
    summary="One dataset version, and which of its samples were taken out since",
    responses=problems(404),
)
def read_version(services: Services, key: Job, version: int) -> DatasetVersionDetail:
    with services.db.read() as session:
        return datasets.detail(session, get_job(session, key).id, version)
