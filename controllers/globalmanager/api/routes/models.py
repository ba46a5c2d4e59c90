"""Model versions: what they are, and their files."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from fastapi.responses import RedirectResponse

from globalmanager.api.deps import API_PREFIX, READERS, SERVING, Job, PageQuery, Services, problems
from globalmanager.api.lookup import get_job
from globalmanager.api.services import ApiServices
from globalmanager.api.stored import stored_bytes
from globalmanager.db import models
from globalmanager.db.values import ModelVersionRow, Page
from sedna.common.errors import NotFoundError
from sedna.common.types import JobKey
from sedna.store.layout import model_file_key, model_module_key
from sedna.store.models import ModelManifest, load_manifest

router = APIRouter(prefix=API_PREFIX, tags=["models"])


@router.get(
    "/jobs/{namespace}/{name}/models",
    dependencies=[READERS],
    operation_id="listModelVersions",
    summary="Model versions, the newest first",
    responses=problems(404, 422),
)
def list_models(
    services: Services,
    key: Job,
    page: Annotated[PageQuery, Depends()],
) -> Page[ModelVersionRow]:
    with services.db.read() as session:
        return models.list_page(session, get_job(session, key).id, limit=page.limit, cursor=page.cursor)


@router.get(
    "/jobs/{namespace}/{name}/models/{version}",
    dependencies=[SERVING],
    operation_id="getModelVersion",
    summary="One model version",
    responses=problems(404),
)
def read_model(services: Services, key: Job, version: int) -> ModelVersionRow:
    return _version(services, key, version)


@router.get(
    "/jobs/{namespace}/{name}/models/{version}/manifest",
    dependencies=[SERVING],
    operation_id="getModelManifest",
    summary="Files with their sha256, input, classes, metrics",
    responses=problems(404),
)
def read_manifest(services: Services, key: Job, version: int) -> ModelManifest:
    return _manifest(services, key, version)


@router.get(
    "/jobs/{namespace}/{name}/models/{version}/files/{file_name:path}",
    dependencies=[SERVING],
    operation_id="getModelFile",
    summary="The bytes of one file, or the way to them",
    response_model=None,
    responses={
        200: {"content": {"application/octet-stream": {}}},
        307: {"description": "the store hands the file out itself, at this address, for some minutes"},
        **problems(404),
    },
)
def read_file(services: Services, key: Job, version: int, file_name: str) -> Response:
    manifest = _manifest(services, key, version)
    file = next((entry for entry in manifest.files if entry.name == file_name), None)
    if file is None:
        names = ", ".join(entry.name for entry in manifest.files)
        raise NotFoundError(f"model {version} has no file {file_name!r}", where=str(key), hint=f"files: {names}")
    stored = model_file_key(key, version, file.sha256, file.name)
    # A redirect where the store can sign: the bytes of a model need not pass through this process.
    seconds = services.settings.presign_seconds
    redirects = services.settings.redirect_models
    address = services.store.presign_get(stored, timedelta(seconds=seconds)) if redirects else None
    if address is not None:
        return RedirectResponse(address, status_code=307)
    headers = {
        "ETag": f'"{file.sha256}"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
    return stored_bytes(services, stored, "application/octet-stream", headers, size=file.size, sha256=file.sha256)


@router.get(
    "/jobs/{namespace}/{name}/models/{version}/module",
    dependencies=[SERVING],
    operation_id="getModelModule",
    summary="The Python file that opens the model, as it was when the model was made",
    response_model=None,
    responses={200: {"content": {"text/x-python": {}}}, **problems(404)},
)
def read_module(services: Services, key: Job, version: int) -> Response:
    module = _manifest(services, key, version).module
    if module is None:
        hint = "what is built in opens it, or it was made before this was kept"
        raise NotFoundError(f"no Python file is stored with model {version}", where=str(key), hint=hint)
    stored = model_module_key(key, version, module.sha256, module.name)
    headers = {"ETag": f'"{module.sha256}"'}
    return stored_bytes(services, stored, "text/x-python", headers, size=module.size, sha256=module.sha256)


def _version(services: ApiServices, key: JobKey, version: int) -> ModelVersionRow:
    with services.db.read() as session:
        return models.get(session, get_job(session, key).id, version)


def _manifest(services: ApiServices, key: JobKey, version: int) -> ModelManifest:
    """Only of versions that the database knows: a manifest in the store alone may be of a job that was cut short."""
    _version(services, key, version)
    return load_manifest(services.store, key, version)
