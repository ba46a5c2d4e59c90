"""Make the objects of a job's edges as they should be: what differs is written, what is as it should be is not."""

from __future__ import annotations

from globalmanager.cluster.api import Body, ClusterView, KubeApi
from globalmanager.cluster.kinds import MODELS
from globalmanager.cluster.settings import KubernetesSettings
from globalmanager.db.values import JobRow
from globalmanager.operator.edges.asked import SPEC_HASH, Asked, asked_of, uid_of
from globalmanager.operator.edges.objects import EdgeObject, edge_objects, every_place
from globalmanager.operator.edges.rollout import EdgesRollout, rollout_of
from sedna.common.errors import ConflictError, NotFoundError, TemporaryError
from sedna.common.types import JobKey

__all__ = ["ensure_edges"]

WAITING_FOR_MODEL = EdgesRollout(reason="WaitingForModel", message="edges start when the job has a model")


def ensure_edges(
    api: KubeApi, view: ClusterView, job: JobRow, settings: KubernetesSettings
) -> EdgesRollout | None:  # fmt: skip
    """Make, change or delete the objects through which the job's edges run in the cluster. Idempotent.

    Looks into ``view`` alone (Deployments, DaemonSets, Services, Models, Pods) and asks the API server only to write.

    Returns:
        How far they are; None for a job that asks for no edges, or came by another way than a custom resource.

    Raises:
        SpecError: the job asks for what cannot be; its text is for people. Also what the API server says to it.
        ConflictError: an object of somebody else has the name.
        TemporaryError: not now; ask again.
        AuthError: the service may not.
    """
    uid = uid_of(job)
    if uid is None or not view.synced:
        return None
    deploy = job.spec.deploy_spec
    wants = deploy.template is not None or deploy.edges is not None
    if wants and job.deleted_at is None and job.state.desired_model is None:
        return WAITING_FOR_MODEL
    version = None if job.deleted_at is not None else job.state.desired_model
    bits = job.spec.pictures.bits_per_sample
    asked = asked_of(job.key, uid, deploy, version, _model(view, job), settings, bits_per_sample=bits)
    wanted = () if asked is None else edge_objects(asked)
    # What is not asked for any more goes first: a DaemonSet and a Deployment of one job would fight for their ports.
    _delete_others(api, view, job.key, uid, wanted)
    if asked is None:
        return None
    live = [_ensure(api, view, asked, object_) for object_ in wanted]
    return rollout_of(view, asked, wanted[0].kind, live[0])


def _model(view: ClusterView, job: JobRow) -> tuple[str, str] | None:
    body = view.get(MODELS, job.key.namespace, job.spec.deploy_spec.model.name)
    if body is None:
        return None
    spec = body.get("spec") or {}
    return str(spec.get("url", "")), str(spec.get("format", ""))


def _delete_others(api: KubeApi, view: ClusterView, job: JobKey, uid: str, wanted: tuple[EdgeObject, ...]) -> None:
    kept = {(object_.kind, object_.name) for object_ in wanted}
    for kind, name in every_place(job.name):
        body = view.get(kind, job.namespace, name)
        if (kind, name) in kept or body is None or not _is_owned(body, uid) or _is_ending(body):
            continue
        api.delete(kind, job.namespace, name, uid=str(body["metadata"]["uid"]))


def _ensure(api: KubeApi, view: ClusterView, asked: Asked, wanted: EdgeObject) -> Body:
    namespace = asked.job.namespace
    live = view.get(wanted.kind, namespace, wanted.name)
    if live is None:
        try:
            live = api.create(wanted.kind, namespace, wanted.body)
        except ConflictError:  # the watch is late, or it is no object of ours and not watched
            live = api.get(wanted.kind, namespace, wanted.name)
            if live is None:
                raise
        view.seen(wanted.kind, live)
    _check_owner(asked, wanted, live)
    notes = live["metadata"].get("annotations") or {}
    if notes.get(SPEC_HASH) == wanted.body["metadata"]["annotations"][SPEC_HASH]:
        return live
    try:
        live = api.patch(wanted.kind, namespace, wanted.name, _changes(wanted, live))
    except NotFoundError as error:
        raise TemporaryError(f"went while it was changed: {error}", where=_where(wanted, namespace)) from error
    view.seen(wanted.kind, live)
    return live


def _changes(wanted: EdgeObject, live: Body) -> list[Body]:
    """Whole parts of the spec, so that what was taken out of them goes; the rest stays as others have set it."""
    meta = wanted.body["metadata"]
    parts = [{"op": "add", "path": f"/spec/{part}", "value": wanted.body["spec"][part]} for part in wanted.replaced]
    merged = {
        "labels": {**(live["metadata"].get("labels") or {}), **meta["labels"]},
        "annotations": {**(live["metadata"].get("annotations") or {}), **meta["annotations"]},
    }
    return [
        {"op": "test", "path": "/metadata/uid", "value": live["metadata"]["uid"]},
        *parts,
        *({"op": "add", "path": f"/metadata/{name}", "value": value} for name, value in merged.items()),
    ]


def _check_owner(asked: Asked, wanted: EdgeObject, live: Body) -> None:
    where = _where(wanted, asked.job.namespace)
    if _is_ending(live):
        raise TemporaryError("is still being deleted", where=where)
    if _is_owned(live, asked.uid):
        return
    owners = live["metadata"].get("ownerReferences") or ()
    if any(owner.get("kind") == "IncrementalLearningJob" and owner.get("name") == asked.job.name for owner in owners):
        raise TemporaryError("belongs to an earlier job of this name, which is still being deleted", where=where)
    raise ConflictError("exists and belongs to somebody else", where=where, hint="rename that object, or the job")


def _where(wanted: EdgeObject, namespace: str) -> str:
    return f"{wanted.kind.kind} {namespace}/{wanted.name}"


def _is_owned(body: Body, uid: str) -> bool:
    return any(owner.get("uid") == uid for owner in body["metadata"].get("ownerReferences") or ())


def _is_ending(body: Body) -> bool:
    return bool(body["metadata"].get("deletionTimestamp"))
