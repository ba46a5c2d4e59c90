"""Edges: what they say, and what they should do."""

from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue

from globalmanager.cluster.api import ClusterView
from globalmanager.cluster.kinds import PODS
from globalmanager.db import Database, edges, events, jobs, models
from globalmanager.db.database import Session
from globalmanager.db.values import EdgeJobRow, JobRow
from globalmanager.engine.pod_status import as_its_pod_says
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
    with db.write() as session:
        edges.seen(session, beat.edge, beat.software, now)
        pod = edges.pod_of(session, beat.edge)
        # Every job, whether the edge has it or not: a new job reaches all edges with their next heartbeat.
        served = jobs.list_all(session) if pod is None else _only(jobs.find(session, pod.job))
        wanted = {job.id: (job, _desired(session, job)) for job in served}
        ids = {job.key: job.id for job, _ in wanted.values()}
        said = [status for status in beat.jobs if status.job in ids]
        if pod is not None and view is not None:
            body = view.get(PODS, pod.job.namespace, pod.pod)
            said = [as_its_pod_says(status, body, wanted[ids[status.job]][1].model_version) for status in said]
        edges.keep_only(session, beat.edge, [ids[status.job] for status in said])
        for status in said:
            job, desired = wanted[ids[status.job]]
            before = edges.put_status(
                session,
                beat.edge,
                job.id,
                model_version=status.model_version,
                state=status.state,
                failed_version=status.failed_version,
                reason=status.reason,
                counters=status.counters.model_dump(mode="json"),
                desired=desired.model_version,
                now=now,
            )
            _record_changes(session, beat.edge, job, status, before, now)
    return EdgeDesired(
        at=now,
        jobs=tuple(desired for _, desired in wanted.values()),
        heartbeat_seconds=settings.heartbeat_seconds,
    )


def _only(job: JobRow | None) -> tuple[JobRow, ...]:
    return () if job is None or job.deleted_at is not None else (job,)


def _desired(session: Session, job: JobRow) -> DesiredJob:
    version = job.state.desired_model
    model = None if version is None else models.get(session, job.id, version)
    deploy = job.spec.deploy_spec
    return DesiredJob(
        job=job.key,
        model_version=version,
        manifest_sha256=None if model is None else model.manifest_sha256,
        miner=DesiredMiner(name=deploy.hard_example_mining.name, parameters=deploy.hard_example_mining.as_dict()),
        audit_ratio=deploy.audit.ratio,
        audit_seed=deploy.audit.seed,
        class_names=job.spec.class_names,
    )


def _record_changes(
    session: Session, edge: str, job: JobRow, status: EdgeJobStatus, before: EdgeJobRow | None, now: datetime
) -> None:
    """Note what changed on the edge, and only that."""
    if status.model_version is not None and (before is None or before.model_version != status.model_version):
        text = f"{edge} serves model {status.model_version}"
        events.add(session, job.id, "EdgeServes", text, now, data={"edge": edge, "version": status.model_version})
    failed = status.failed_version
    if failed is not None and (before is None or before.failed_version != failed):
        text = f"{edge} refused model {failed}: {status.reason or 'no reason given'}"
        data: dict[str, JsonValue] = {"edge": edge, "version": failed}
        events.add(session, job.id, "EdgeRefused", text, now, level="warning", data=data)
