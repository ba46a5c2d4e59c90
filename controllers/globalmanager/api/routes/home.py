"""What the page shows first: all jobs at a glance, and the loop of one."""

from __future__ import annotations

from fastapi import APIRouter

from globalmanager.api.deps import API_PREFIX, READERS, Job, Reader, Services, problems
from globalmanager.api.home import FlowView, HomeView, flow_of, home_job
from globalmanager.api.lookup import get_job
from globalmanager.api.overview import overview_of
from globalmanager.db import edges, jobs

router = APIRouter(prefix=API_PREFIX, tags=["service"])


@router.get(
    "/home",
    operation_id="readHome",
    summary="Every job as a card: its model over the rounds, what waits for a label, and what it waits for itself",
    responses=problems(),
)
def read_home(services: Services, caller: Reader) -> HomeView:
    seen = overview_of(services)
    with services.db.read() as session:
        machines = edges.list_all(session)
        rows = {(row.key.namespace, row.key.name): row for row in jobs.list_all(session)}
        cards = tuple(
            # One that was deleted in between has no card.
            home_job(services, session, rows[summary.namespace, summary.name], summary, machines)
            for summary in seen.jobs
            if (summary.namespace, summary.name) in rows
        )
    return HomeView(at=seen.at, user=caller.name, trouble=seen.trouble, jobs=cards)


@router.get(
    "/jobs/{namespace}/{name}/flow",
    dependencies=[READERS],
    operation_id="readFlow",
    summary="The loop of a job with the number of samples at each of its stations",
    responses=problems(404),
)
def read_flow(services: Services, key: Job) -> FlowView:
    with services.db.read() as session:
        return flow_of(services, session, get_job(session, key), edges.list_all(session))
