"""The whole service at a glance, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import Field

import sedna
from globalmanager.api.health import readiness
from globalmanager.api.schemas import JobSummary, View, job_summary
from globalmanager.api.services import ApiServices
from globalmanager.db import edges, jobs
from globalmanager.db.values import EdgeRow, JobRow
from sedna.common.atomic import free_bytes
from sedna.loop.state import Outcome

__all__ = ["Overview", "overview_of"]


class Disk(View):
    """A folder that the service writes to."""

    folder: str
    free_bytes: int | None = Field(description="None: it cannot be used")


class EdgeGlance(View):
    """An edge in short."""

    name: str
    live: bool = Field(description="heard of within three heartbeats")
    last_seen_at: datetime | None
    offline_since: datetime | None = Field(description="when it was heard last, once it has missed three heartbeats")
    pod: str | None = Field(description="of an edge in the cluster, which serves one job alone")
    serves: dict[str, int | None] = Field(description="the model version that it serves, by job")


class Overview(View):
    """The service, its jobs and its edges."""

    version: str
    at: datetime
    ready: bool
    checks: dict[str, str] = Field(description="``ok`` or the fault, by part")
    trouble: tuple[str, ...] = Field(description="what somebody should look at, the service itself first")
    disks: tuple[Disk, ...]
    jobs: tuple[JobSummary, ...]
    edges: tuple[EdgeGlance, ...]


def overview_of(services: ApiServices) -> Overview:
    """Service, jobs, edges, disks and store, with what is wrong."""
    now = services.clock.now()
    # Not the store itself, which may take its time: what the watch found last.
    found = readiness(services, store=False)
    checks = {**found.checks, "store": services.store_trouble() or "ok"}
    with services.db.read() as session:
        rows, machines = jobs.list_all(session), edges.list_all(session)
        asked = {row.id: row.state.asked for row in rows}
        seen = edges.observe_jobs(session, asked, now, services.engine_settings.live_seconds)
    summaries = tuple(job_summary(row, seen[row.id]) for row in rows)
    glances = tuple(_glance(edge, now, services.engine_settings.live_seconds) for edge in machines)
    trouble = (
        *(f"{part}: {state}" for part, state in checks.items() if state != "ok"),
        *(
            text
            for row, summary in zip(rows, summaries, strict=True)
            for text in _job_trouble(row, summary, checks["store"])
        ),
        *(text for edge, glance in zip(machines, glances, strict=True) for text in _edge_trouble(edge, glance)),
    )
    return Overview(
        version=sedna.__version__,
        at=now,
        ready=all(state == "ok" for state in checks.values()),
        checks=checks,
        trouble=trouble,
        disks=tuple(_disks(services)),
        jobs=summaries,
        edges=glances,
    )


def _disks(services: ApiServices) -> Iterator[Disk]:
    for folder in services.disks:
        try:
            yield Disk(folder=str(folder), free_bytes=free_bytes(folder))
        except OSError:
            yield Disk(folder=str(folder), free_bytes=None)  # the check of the disks says what is wrong with it


def _glance(edge: EdgeRow, now: datetime, live_seconds: float) -> EdgeGlance:
    seen = edge.last_seen_at
    live = seen is not None and (now - seen).total_seconds() <= live_seconds
    return EdgeGlance(
        name=edge.name,
        live=live,
        last_seen_at=seen,
        # By the clock and not as the engine has noted it: after a start that one gives edges time to come back.
        offline_since=None if live else seen,
        pod=edge.pod,
        serves={str(said.job): said.model_version for said in edge.jobs},
    )


def _job_trouble(row: JobRow, summary: JobSummary, store: str) -> Iterator[str]:
    # The store's trouble stands at every job as well: said once it is enough.
    if summary.degraded is not None and summary.degraded != store:
        yield f"job {row.key}: {summary.degraded}"
    if row.state.failures:
        many = "the last training" if row.state.failures == 1 else f"{row.state.failures} trainings in a row"
        ended = (one.reason for one in reversed(row.state.history) if one.outcome is Outcome.FAILED)
        first_line = next(ended, "").partition("\n")[0]
        yield f"job {row.key}: {many} failed: {first_line}"


def _edge_trouble(edge: EdgeRow, glance: EdgeGlance) -> Iterator[str]:
    if glance.last_seen_at is None:
        yield f"edge {edge.name}: has never been heard of"
    elif glance.offline_since is not None:
        yield f"edge {edge.name}: offline since {glance.offline_since:%Y-%m-%d %H:%M:%S} UTC"
