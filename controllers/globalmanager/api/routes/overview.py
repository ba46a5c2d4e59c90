"""What an operator looks at first: everything at a glance, and what is wrong."""

from __future__ import annotations

from fastapi import APIRouter

from globalmanager.api.deps import API_PREFIX, READERS, Services, problems
from globalmanager.api.overview import Overview, overview_of

router = APIRouter(prefix=API_PREFIX, tags=["service"])


@router.get(
    "/status",
    dependencies=[READERS],
    operation_id="readStatus",
    summary="Service, jobs, edges, disks and store at a glance, with what is wrong",
    responses=problems(),
)
def read_status(services: Services) -> Overview:
    return overview_of(services)
