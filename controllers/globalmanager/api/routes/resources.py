"""Descriptions of jobs, datasets and models."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from globalmanager.api.deps import ADMIN_ONLY, API_PREFIX, READERS, Services, accepts, problems
from globalmanager.api.manifests import parse_manifests, without_uid
from globalmanager.api.schemas import AppliedResource
from globalmanager.api.template_notes import notes_on
from globalmanager.db import resources
from globalmanager.db.values import ResourceRow
from globalmanager.engine.apply import apply_resources
from sedna.common.types import JobKey, Name
from sedna.loop.spec import IncrementalLearningJob

router = APIRouter(prefix=API_PREFIX, tags=["resources"])

_MEDIA_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "application/json")

_EXAMPLE = """\
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {name: boards}
spec: {url: /data/boards/index.txt, format: txt}
"""


@router.post(
    "/resources",
    operation_id="applyResources",
    summary="Create or update jobs, datasets and models: all of them or none",
    responses=problems(409, 413, 415, 422),
    dependencies=[ADMIN_ONLY, accepts(*_MEDIA_TYPES)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string"}, "example": _EXAMPLE} for kind in _MEDIA_TYPES},
        }
    },
)
async def apply(
    request: Request,
    services: Services,
    dry_run: Annotated[bool, Query(alias="dryRun", description="say what would happen, change nothing")] = False,
) -> list[AppliedResource]:
    """The body holds one or more descriptions (YAML documents, a JSON object or list, or kind List)."""
    text = await request.body()

    def work() -> list[AppliedResource]:
        described = [without_uid(resource) for resource in parse_manifests(text, "body")]
        if services.cluster is not None and services.pods is not None:
            for resource in described:
                if isinstance(resource, IncrementalLearningJob):
                    services.cluster.settings.require_watched(resource.key.namespace, str(resource.key))
        applied = apply_resources(
            services.db, described, services.clock.now(), dry_run=dry_run, spare_custom=services.cluster is not None
        )
        return [
            # The notes say what a process lacks; in a Pod the template's image has it.
            AppliedResource(**change.model_dump(), notes=notes_on(resource) if services.pods is None else ())
            for resource, change in zip(described, applied, strict=True)
        ]

    # A module of the user may be loaded, in a process of its own: seconds that must not stop the event loop.
    applied = await run_in_threadpool(work)
    if not dry_run:
        services.engine.wake()
    return applied


@router.get(
    "/datasets",
    dependencies=[READERS],
    operation_id="listDatasets",
    summary="Dataset descriptions",
    responses=problems(),
)
def list_datasets(services: Services) -> list[ResourceRow]:
    with services.db.read() as session:
        return list(resources.list_all(session, "Dataset"))


@router.get(
    "/models", dependencies=[READERS], operation_id="listModels", summary="Model descriptions", responses=problems()
)
def list_models(services: Services) -> list[ResourceRow]:
    with services.db.read() as session:
        return list(resources.list_all(session, "Model"))


@router.delete(
    "/datasets/{namespace}/{name}",
    dependencies=[ADMIN_ONLY],
    operation_id="deleteDataset",
    status_code=204,
    responses=problems(404, 409),
)
def delete_dataset(services: Services, namespace: Name, name: Name) -> None:
    with services.db.write() as session:
        resources.remove(session, "Dataset", JobKey(namespace=namespace, name=name))


@router.delete(
    "/models/{namespace}/{name}",
    dependencies=[ADMIN_ONLY],
    operation_id="deleteModel",
    status_code=204,
    responses=problems(404, 409),
)
def delete_model(services: Services, namespace: Name, name: Name) -> None:
    with services.db.write() as session:
        resources.remove(session, "Model", JobKey(namespace=namespace, name=name))
