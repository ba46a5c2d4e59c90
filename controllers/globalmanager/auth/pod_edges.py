"""Edges that are Pods: admitted by the token of their service account, forgotten when they are gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from pydantic import Field

from globalmanager.cluster.api import Body, ClusterView
from globalmanager.cluster.connection import Cluster
from globalmanager.cluster.kinds import PODS
from globalmanager.cluster.names import EDGE_NAME, INFERENCE, JOB_NAME, is_of_job
from globalmanager.cluster.token_review import PodIdentity, review_token
from globalmanager.db import Database, edges, events, jobs, tokens
from globalmanager.db.values import JobRow
from sedna.common.errors import AuthError
from sedna.common.types import JobKey, Value

__all__ = ["EdgeAdmission", "admit_pod", "forget_gone_pods"]

TOKEN_TIME: Final = timedelta(hours=1)
"""A Pod asks for the next one in time; whoever copies one has it no longer than this."""

_YOUNG: Final = timedelta(seconds=60)
"""A Pod that was admitted by another replica may be here before this one's watch has shown it."""


class EdgeAdmission(Value):
    """An edge's name and its token."""

    edge: str
    token: str
    expires_in_seconds: float = Field(description="from now; clocks of nodes may be wrong")


def admit_pod(db: Database, cluster: Cluster, pod_token: str, now: datetime) -> EdgeAdmission:
    """Register the Pod behind a projected token as an edge of its job, and give it a token of ours.

    Raises:
        AuthError: the token is not valid, or its Pod is no edge of a job here.
        ConflictError: an edge of its name belongs to somebody else.
        TemporaryError: API server or database do not answer.
    """
    identity = review_token(cluster.api, pod_token, cluster.settings.audience)
    pod = cluster.api.get(PODS, identity.namespace, identity.pod)
    if pod is None or pod["metadata"].get("uid") != identity.uid:
        raise AuthError("the Pod of this token is gone", where=f"{identity.namespace}/{identity.pod}")
    cluster.view.seen(PODS, pod)
    name = _edge_name(pod, identity)
    with db.write() as session:
        job = _job_of(jobs.find(session, _job_key(pod, identity)), pod, identity)
        known = edges.pod_of(session, name)
        edges.register_pod(session, name, job.id, identity.pod, identity.uid, now)
        token = tokens.create_for_pod(session, name, now, now + TOKEN_TIME)
        if known is None or known.pod_uid != identity.uid:
            events.add(session, job.id, "EdgeRegistered", f"Pod {identity.pod} is edge {name}", now)
    return EdgeAdmission(edge=name, token=token, expires_in_seconds=TOKEN_TIME.total_seconds())


def forget_gone_pods(
    db: Database, view: ClusterView, now: datetime, job: JobKey | None = None, *, is_watched: Callable[[str], bool]
) -> dict[str, JobKey]:
    """Remove the edges whose Pods are gone, of one job or of all: nobody waits for them any more, and their tokens end.

    Args:
        is_watched: whether the view shows a namespace at all; that it lacks the Pods of another one says nothing.

    Returns:
        Their names, with the job of each.
    """
    if not view.synced:
        return {}
    with db.read() as session:
        known = edges.of_pods(session)
    gone = [
        row
        for row in known
        if job in (None, row.job)
        and is_watched(row.job.namespace)
        and now - row.registered_at > _YOUNG
        and _uid(view.get(PODS, row.job.namespace, row.pod)) != row.pod_uid
    ]
    for row in gone:
        with db.write() as session:
            again = edges.pod_of(session, row.name)
            # The next Pod of this name may have been admitted since.
            if again is not None and again.pod_uid == row.pod_uid:
                edges.remove(session, row.name)
    return {row.name: row.job for row in gone}


def _uid(pod: Body | None) -> str | None:
    return None if pod is None else str(pod["metadata"].get("uid"))


def _job_key(pod: Body, identity: PodIdentity) -> JobKey:
    name = (pod["metadata"].get("annotations") or {}).get(JOB_NAME)
    if not name:
        raise _no_edge(identity, f"it has no annotation {JOB_NAME}")
    return JobKey(namespace=identity.namespace, name=name)


def _job_of(job: JobRow | None, pod: Body, identity: PodIdentity) -> JobRow:
    labels = pod["metadata"].get("labels") or {}
    if job is None or job.deleted_at is not None:
        raise _no_edge(identity, "there is no such job")
    if not is_of_job(labels, str(job.metadata.get("uid")), INFERENCE):
        raise _no_edge(identity, "its labels are of another job, or of an earlier one")
    return job


def _edge_name(pod: Body, identity: PodIdentity) -> str:
    template = (pod["metadata"].get("annotations") or {}).get(EDGE_NAME) or ""
    names = {
        "$(POD_NAME)": identity.pod,
        "$(POD_NAMESPACE)": identity.namespace,
        "$(NODE_NAME)": str((pod.get("spec") or {}).get("nodeName", "")),
    }
    for variable, value in names.items():
        template = template.replace(variable, value)
    # Annotations are written by whoever may make Pods in the namespace: their edges stay in it.
    if not template.endswith(f".{identity.namespace}") or template.startswith("."):
        raise _no_edge(identity, f"its annotation {EDGE_NAME} gives {template!r}")
    return template


def _no_edge(identity: PodIdentity, why: str) -> AuthError:
    return AuthError(
        f"Pod {identity.namespace}/{identity.pod} is no edge here: {why}",
        hint="edges come from deploySpec of a job",
        forbidden=True,
    )
