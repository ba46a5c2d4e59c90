"""Reports of workers, handed over by local controllers."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from globalmanager.api.deps import API_PREFIX, REPORTERS, Reporter, Services, accepts, problems
from globalmanager.auth.permission import Permission
from globalmanager.engine.work.reports import receive_report
from sedna.common.errors import DataError
from sedna.core.report import WorkerReport

router = APIRouter(prefix=API_PREFIX, tags=["workers"])


class ReportTaken(BaseModel):
    """The report is stored."""

    known: bool = Field(description="false: no running worker has this name; the report changes nothing")


@router.post(
    "/worker-reports/{worker}",
    operation_id="reportWorker",
    summary="What a worker said about itself; repeating it is harmless",
    status_code=200,
    responses=problems(413, 415, 422),
    dependencies=[REPORTERS, accepts("application/json")],
)
def report(services: Services, caller: Reporter, worker: str, body: WorkerReport) -> ReportTaken:
    """An edge's token may hand over ``deploy`` reports only: training and evaluation decide what is deployed."""
    for field, value in (("kind", body.kind), ("status", body.status)):
        if not value:
            raise DataError("is missing", where=field, hint="train, eval or deploy; completed or failed")
    # An edge's token is on a machine at the line; what it says must not decide about models.
    if body.kind.lower() != "deploy":
        caller.require(Permission.ADMIN)
    if body.name != worker:
        raise DataError(f"the report is of worker {body.name!r}", where="name", hint=worker)
    known = receive_report(services.db, worker, body, services.clock.now())
    services.engine.wake()
    return ReportTaken(known=known)
