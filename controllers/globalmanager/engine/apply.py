"""Apply descriptions: all of a batch or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from globalmanager.db import Database, events, jobs, resources
from globalmanager.db.database import Session
from globalmanager.db.purge import is_purging
from globalmanager.db.values import JobRow
from sedna.common.errors import ConflictError, SpecError
from sedna.common.types import JobKey, Value
from sedna.loop.spec import Dataset, IncrementalLearningJob, JobSpec, Model, Resource
from sedna.loop.state import Pause

Change = Literal["created", "updated", "unchanged"]


class Applied(Value):
    """What became of one description."""

    kind: str
    namespace: str
    name: str
    action: Change


def apply_resources(
    db: Database, wanted: Sequence[Resource], now: datetime, *, dry_run: bool = False, spare_custom: bool = False
) -> tuple[Applied, ...]:
    """Create or update jobs, datasets and models in one transaction.

    A job that was deleted and is applied again goes on with its samples, models and rounds: stored objects are never
    overwritten, so a fresh start needs a fresh name.

    Args:
        spare_custom: refuse to write over a record that belongs to a custom resource of a cluster.

    Raises:
        SpecError: a job refers to a dataset or model that neither exists nor is in the batch, or one is given twice.
        ConflictError: a job's classes were reordered, renamed or taken away, and samples are labelled by them; or see
            ``spare_custom``.
    """
    _refuse_doubles(wanted)
    # The same checks without the write lock: a dry run must not keep the service's own transactions waiting.
    if dry_run:
        with db.read() as session:
            _check_references(session, wanted)
            _check_owners(session, wanted, spare_custom=spare_custom)
            return tuple(_applied(resource, _change(session, resource)) for resource in wanted)
    with db.write() as session:
        # Before anything is put: a batch with one wrong reference leaves nothing behind.
        _check_references(session, wanted)
        _check_owners(session, wanted, spare_custom=spare_custom)
        done = []
        for resource in wanted:
            change = _change(session, resource)
            if change != "unchanged":
                _put(session, resource, now)
                events.add(
                    session, _job_id(session, resource), "Applied", f"{resource.kind} {resource.key} {change}", now
                )
            done.append(_applied(resource, change))
    return tuple(done)


def delete_job(db: Database, key: JobKey, now: datetime) -> None:
    """Take a job out of service. Its worker is stopped by the engine; samples, models and rounds stay.

    Raises:
        NotFoundError: there is no such job.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        jobs.mark_deleted(session, job.id, now)
        events.add(session, job.id, "Deleted", f"job {key} is out of service; its samples and models stay", now)


def pause_job(db: Database, key: JobKey, pause: Pause) -> JobRow:
    """Let a job begin no round; what is under way goes on. The same pause again changes nothing.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: it is paused for another reason, which the new one would hide.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        earlier = job.state.paused
        if earlier is None:
            jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"paused": pause}))
            events.add(session, job.id, "Paused", f"job {key} is {pause}", pause.at)
        elif earlier.reason != pause.reason:
            hint = "resume it first; or leave it as it is"
            raise ConflictError(f"the job is {earlier}", where=str(key), hint=hint)
        return jobs.get(session, key)


def resume_job(db: Database, key: JobKey, by: str, now: datetime) -> JobRow:
    """Let a job begin rounds again.

    Raises:
        NotFoundError: there is no such job.
        ConflictError: its description suspends it.
    """
    with db.write() as session:
        job = jobs.get(session, key)
        if job.state.paused is not None:
            jobs.swap_state(session, job.id, job.seq, job.state.model_copy(update={"paused": None}))
            events.add(session, job.id, "Resumed", f"job {key} was resumed by {by}", now)
        job = jobs.get(session, key)
        if job.paused is not None:
            hint = "take suspend out of the description and apply it"
            raise ConflictError(f"the job is {job.paused}", where=str(key), hint=hint)
        return job


def _refuse_doubles(wanted: Sequence[Resource]) -> None:
    seen = set()
    for resource in wanted:
        name = (resource.kind, str(resource.key))
        if name in seen:
            raise SpecError("is given twice in one batch", where=f"{resource.kind} {resource.key}", hint="keep one")
        seen.add(name)


def references_of(spec: JobSpec) -> list[tuple[resources.Kind, str, str]]:
    """The Datasets and Models that a job refers to: kind, name, and where the description says so."""
    found: list[tuple[resources.Kind, str, str]] = [
        ("Dataset", spec.dataset.name, "spec.dataset.name"),
        ("Model", spec.initial_model.name, "spec.initialModel.name"),
        ("Model", spec.deploy_spec.model.name, "spec.deploySpec.model.name"),
    ]
    if spec.eval_spec.initial_eval_model is not None:
        found.append(("Model", spec.eval_spec.initial_eval_model.name, "spec.evalSpec.initialEvalModel.name"))
    return found


def _check_references(session: Session, wanted: Sequence[Resource]) -> None:
    given = {(resource.kind, str(resource.key)) for resource in wanted}
    for job in wanted:
        if not isinstance(job, IncrementalLearningJob):
            continue
        known_job = jobs.find(session, job.key)
        if known_job is not None and is_purging(known_job):
            hint = f"'sedna job purge {job.key}' goes on with that; a new job may have the name then"
            raise ConflictError("the job is being deleted for good", where=f"{job.kind} {job.key}", hint=hint)
        _check_class_names(known_job, job)
        for kind, name, path in references_of(job.spec):
            key = JobKey(namespace=job.metadata.namespace, name=name)
            if (kind, str(key)) not in given and resources.find(session, kind, key) is None:
                known = [str(row.key) for row in resources.list_all(session, kind)]
                raise SpecError(
                    f"there is no {kind} {key}",
                    where=f"IncrementalLearningJob {job.key}: {path}",
                    hint=f"known: {', '.join(known) or 'none'}; or apply it in the same batch",
                )


def _check_owners(session: Session, wanted: Sequence[Resource], *, spare_custom: bool) -> None:
    """Without its uid the record would be nobody's: edits of the custom resource and its edges would stand still."""
    for resource in wanted if spare_custom else ():
        if isinstance(resource, IncrementalLearningJob):
            job = jobs.find(session, resource.key)
            metadata = {} if job is None or job.deleted_at is not None else job.metadata
        else:
            row = resources.find(session, resource.kind, resource.key)
            metadata = {} if row is None else row.metadata
        if "uid" in metadata:
            raise ConflictError(
                "belongs to a custom resource of the cluster",
                where=f"{resource.kind} {resource.key}",
                hint="edit that with kubectl",
            )


def _change(session: Session, resource: Resource) -> Change:
    spec, metadata = _spec(resource), _metadata(resource)
    if isinstance(resource, IncrementalLearningJob):
        job = jobs.find(session, resource.key)
        if job is None:
            return "created"
        same = job.deleted_at is None and (job.spec, job.metadata) == (resource.spec, metadata)
    else:
        row = resources.find(session, resource.kind, resource.key)
        if row is None:
            return "created"
        same = (row.spec, row.metadata) == (spec, metadata)
    return "unchanged" if same else "updated"


def _put(session: Session, resource: Resource, now: datetime) -> None:
    if isinstance(resource, Dataset | Model):
        resources.put(session, resource.kind, resource.key, _spec(resource), _metadata(resource), now)
        return
    job = jobs.find(session, resource.key)
    if job is None:
        jobs.insert(session, resource.key, resource.spec, _metadata(resource), now)
    else:
        jobs.replace_spec(session, job.id, resource.spec, _metadata(resource), now)


def _check_class_names(job: JobRow | None, wanted: IncrementalLearningJob) -> None:
    """Labels are kept by position: another order would say something else about every sample."""
    if job is None:
        return
    old, new = job.class_names, wanted.spec.class_names
    if not job.spec.class_names and not new:  # it goes on with the names that label files have brought
        return
    if old and job.totals.labelled and new[: len(old)] != old:
        raise ConflictError(
            f"{job.totals.labelled} samples are labelled for the classes {', '.join(old)}",
            where=f"IncrementalLearningJob {job.key}: spec.classNames",
            hint="add classes at the end, or use a fresh name for a job with other classes",
        )


def _job_id(session: Session, resource: Resource) -> int | None:
    if not isinstance(resource, IncrementalLearningJob):
        return None
    job = jobs.find(session, resource.key)
    return None if job is None else job.id


def _spec(resource: Resource) -> dict[str, Any]:
    return resource.spec.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _metadata(resource: Resource) -> dict[str, Any]:
    return resource.metadata.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _applied(resource: Resource, action: Change) -> Applied:
    key = resource.key
    return Applied(kind=resource.kind, namespace=key.namespace, name=key.name, action=action)
