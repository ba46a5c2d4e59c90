"""Edges: what they say, and what they should do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import JsonValue

from globalmanager.cluster.api import ClusterView
from globalmanager.cluster.kinds import PODS
from globalmanager.db import Database, edges, events, jobs, models
from globalmanager.db.database import Session
from globalmanager.db.values import EdgeJobRow, JobRow
from globalmanager.engine.pod_status import as_its_pod_says
from globalmanager.engine.silence import tell_back
from globalmanager.settings import EngineSettings
from sedna.edge.protocol import DesiredJob, DesiredMiner, EdgeDesired, EdgeHeartbeat, EdgeJobStatus


def heartbeat(
    db: Database, beat: EdgeHeartbeat, now: datetime, settings: EngineSettings, view: ClusterView | None = None
) -> EdgeDesired:
    """Take an edge's report and answer with what it should serve: every job of the service, or its own if it is a Pod.

    Args:
        view: of the cluster, which knows more of a Pod than its helper does.

    Raises:
        NotFoundError: the edge is not registered.
    """
    # What is wanted is found out before the write, for which all others wait; it grows with the number of jobs. What
    # changes in between is said with the next heartbeat.
    with db.read() as session:
        pod = edges.pod_of(session, beat.edge)
        # Every job, whether the edge has it or not: a new job reaches all edges with their next heartbeat.
        served = jobs.list_all(session) if pod is None else _only(jobs.find(session, pod.job))
        wanted = {job.key: (job, desired) for job, desired in zip(served, _desired(session, served), strict=True)}
    said = [status for status in beat.jobs if status.job in wanted]
    if pod is not None and view is not None:
        body = view.get(PODS, pod.job.namespace, pod.pod)
        said = [as_its_pod_says(status, body, wanted[status.job][1].model_version) for status in said]
    rows = [_row(status, *wanted[status.job]) for status in said]
    with db.write() as session:
        offline_since = edges.seen(session, beat.edge, beat.software, now)
        edges.keep_only(session, beat.edge, [row.job_id for row in rows])
        before = edges.put_statuses(session, beat.edge, rows, now)
        for row, earlier in zip(rows, before, strict=True):
            _record_changes(session, beat.edge, row, earlier, now)
        if offline_since is not None:
            tell_back(session, beat.edge, offline_since, now)
    return EdgeDesired(
        at=now,
        jobs=tuple(desired for _, desired in wanted.values()),
        heartbeat_seconds=settings.heartbeat_seconds,
    )


def _only(job: JobRow | None) -> tuple[JobRow, ...]:
    return () if job is None or job.deleted_at is not None else (job,)


def _row(status: EdgeJobStatus, job: JobRow, desired: DesiredJob) -> edges.EdgeSaid:
    return edges.EdgeSaid(
        job_id=job.id,
        job=job.key,
        model_version=status.model_version,
        state=status.state,
        failed_version=status.failed_version,
        reason=status.reason,
        counters=status.counters.model_dump(mode="json"),
        desired=desired.model_version,
        asked=desired.asked,
    )


def _desired(session: Session, served: Sequence[JobRow]) -> list[DesiredJob]:
    """What an edge should do about each of these jobs."""
    versions = {job.id: job.state.desired_model for job in served}
    manifests = models.manifests(session, {key: version for key, version in versions.items() if version is not None})
    return [
        DesiredJob(
            job=job.key,
            model_version=versions[job.id],
            manifest_sha256=manifests.get(job.id),
            asked=job.state.asked,
            miner=DesiredMiner(
                name=job.spec.deploy_spec.hard_example_mining.name,
                parameters=job.spec.deploy_spec.hard_example_mining.as_dict(),
            ),
            audit_ratio=job.spec.deploy_spec.audit.ratio,
            audit_seed=job.spec.deploy_spec.audit.seed,
            class_names=job.spec.class_names,
            bits_per_sample=job.spec.pictures.bits_per_sample,
            created_at=job.created_at,
        )
        for job in served
    ]


def _record_changes(
    session: Session, edge: str, status: edges.EdgeSaid, before: EdgeJobRow | None, now: datetime
) -> None:
    """Note what changed on the edge, and only that."""
    if status.model_version is not None and (before is None or before.model_version != status.model_version):
        text = f"{edge} serves model {status.model_version}"
        events.add(
            session, status.job_id, "EdgeServes", text, now, data={"edge": edge, "version": status.model_version}
        )
    failed = status.failed_version
    if failed is not None and (before is None or before.failed_version != failed):
        text = f"{edge} refused model {failed}: {status.reason or 'no reason given'}"
        data: dict[str, JsonValue] = {"edge": edge, "version": failed}
        events.add(session, status.job_id, "EdgeRefused", text, now, level="warning", data=data)
