"""Jobs, their rounds and decisions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from globalmanager.api.deps import ADMIN_ONLY, API_PREFIX, READERS, Admin, Job, PageQuery, Services, accepts, problems
from globalmanager.api.lookup import get_job
from globalmanager.api.picture_cache import PictureCache
from globalmanager.api.schemas import JobSummary, JobView, ReasonBody, RoundView, job_summary, job_view
from globalmanager.api.services import ApiServices
from globalmanager.db import decisions, edges, jobs, models, rounds, samples, workers
from globalmanager.db.database import Session
from globalmanager.db.values import DecisionRow, JobRow, Page, RoundRow
from globalmanager.engine.apply import delete_job, pause_job, resume_job
from globalmanager.engine.purge import Purged, purge_job
from globalmanager.engine.work.logs import WorkerLog, read_log
from sedna.common.types import Name
from sedna.core.staging.order import Kind
from sedna.loop.observation import EdgeObservation
from sedna.loop.state import Pause

_PURGE_SECONDS = 15.0
"""Of one request: callers wait for sixty, and proxies for less."""

router = APIRouter(prefix=API_PREFIX, tags=["jobs"])


@router.get("/jobs", dependencies=[READERS], operation_id="listJobs", summary="Every job", responses=problems())
def list_jobs(
    services: Services,
    namespace: Annotated[Name | None, Query(description="only of this namespace")] = None,
) -> list[JobSummary]:
    with services.db.read() as session:
        rows = jobs.list_all(session, namespace=namespace)
        seen = _edges_of(services, session, rows)
    return [job_summary(row, seen[row.id]) for row in rows]


@router.get(
    "/jobs/{namespace}/{name}",
    dependencies=[READERS],
    operation_id="getJob",
    summary="One job",
    responses=problems(404),
)
def read_job(services: Services, key: Job) -> JobView:
    with services.db.read() as session:
        row = get_job(session, key)
        champion = row.state.champion
        model = models.find(session, row.id, champion) if champion is not None else None
        seen = _edges_of(services, session, [row])[row.id]
        return job_view(row, samples.counts(session, row.id), model, edges.of_job(session, row.id), seen)


def _edges_of(
    services: ApiServices, session: Session, rows: Sequence[JobRow]
) -> dict[int, tuple[EdgeObservation, ...]]:
    asked = {row.id: row.state.asked for row in rows}
    return edges.observe_jobs(session, asked, services.clock.now(), services.engine_settings.live_seconds)


@router.delete(
    "/jobs/{namespace}/{name}",
    dependencies=[ADMIN_ONLY],
    operation_id="deleteJob",
    summary="Stop driving a job; its samples, models and history stay",
    status_code=204,
    responses=problems(404),
)
def remove_job(services: Services, key: Job) -> None:
    with services.db.read() as session:
        get_job(session, key)
    delete_job(services.db, key, services.clock.now())
    services.engine.wake()


@router.post(
    "/jobs/{namespace}/{name}:purge",
    operation_id="purgeJob",
    summary="Delete a deleted job's samples, models and history for good; repeat it until it is done",
    responses=problems(404, 409),
)
def purge(request: Request, services: Services, caller: Admin, key: Job) -> Purged:
    pictures: PictureCache = request.app.state.pictures
    found = purge_job(services.db, services.store, key, services.clock, by=caller.name, seconds=_PURGE_SECONDS)
    pictures.forget_job(key)
    services.engine.wake()
    return found


@router.post(
    "/jobs/{namespace}/{name}:pause",
    operation_id="pauseJob",
    summary="Let no round begin; what is under way goes on, and a deployment may still be asked for",
    responses=problems(404, 409, 415, 422),
    dependencies=[ADMIN_ONLY, accepts("application/json")],
)
def pause(services: Services, caller: Admin, key: Job, body: ReasonBody) -> JobSummary:
    with services.db.read() as session:
        get_job(session, key)
    row = pause_job(services.db, key, Pause(at=services.clock.now(), by=caller.name, reason=body.reason))
    services.engine.wake()
    with services.db.read() as session:
        return job_summary(row, _edges_of(services, session, [row])[row.id])


@router.post(
    "/jobs/{namespace}/{name}:resume",
    operation_id="resumeJob",
    summary="Let rounds begin again",
    responses=problems(404, 409),
)
def resume(services: Services, caller: Admin, key: Job) -> JobSummary:
    with services.db.read() as session:
        get_job(session, key)
    row = resume_job(services.db, key, caller.name, services.clock.now())
    services.engine.wake()
    with services.db.read() as session:
        return job_summary(row, _edges_of(services, session, [row])[row.id])


@router.get(
    "/jobs/{namespace}/{name}/rounds",
    dependencies=[READERS],
    operation_id="listRounds",
    summary="Rounds, the newest first",
    responses=problems(404, 422),
)
def list_rounds(
    services: Services,
    key: Job,
    page: Annotated[PageQuery, Depends()],
) -> Page[RoundRow]:
    with services.db.read() as session:
        return rounds.list_page(session, get_job(session, key).id, limit=page.limit, cursor=page.cursor)


@router.get(
    "/jobs/{namespace}/{name}/rounds/{round_id}",
    dependencies=[READERS],
    operation_id="getRound",
    summary="One round with its workers",
    responses=problems(404),
)
def read_round(services: Services, key: Job, round_id: int) -> RoundView:
    with services.db.read() as session:
        job = get_job(session, key)
        return RoundView(
            round=rounds.get(session, job.id, round_id), workers=workers.of_round(session, job.id, round_id)
        )


@router.get(
    "/jobs/{namespace}/{name}/rounds/{round_id}/log",
    dependencies=[READERS],
    operation_id="getRoundLog",
    summary="A part of what the newest worker of a round wrote, while it runs and afterwards",
    responses=problems(404, 422),
)
def read_round_log(
    services: Services,
    key: Job,
    round_id: int,
    stage: Annotated[Kind | None, Query(description="train or eval; none: whichever is the newest")] = None,
    offset: Annotated[int, Query(description="byte to begin at; negative: from the end")] = 0,
) -> WorkerLog:
    runtime = services.engine.runtime
    return read_log(services.db, services.store, runtime, key, round_id, kind=stage, offset=offset)


@router.get(
    "/jobs/{namespace}/{name}/decisions",
    dependencies=[READERS],
    operation_id="listDecisions",
    summary="What the triggers decided and why, the newest first; repetitions are counted",
    responses=problems(404, 422),
)
def list_decisions(
    services: Services,
    key: Job,
    page: Annotated[PageQuery, Depends()],
) -> Page[DecisionRow]:
    with services.db.read() as session:
        return decisions.list_page(session, get_job(session, key).id, limit=page.limit, cursor=page.cursor)
