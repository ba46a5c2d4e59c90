"""Jobs: description and state."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, or_, select, type_coerce, update
from sqlalchemy.orm import Session

from globalmanager.db.columns import storable
from globalmanager.db.paging import execute_dml
from globalmanager.db.tables import Job
from globalmanager.db.values import JobRow, SampleTotals
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import JobKey
from sedna.loop.decide import initial_state
from sedna.loop.spec import JobSpec
from sedna.loop.state import JobState


class MovedOnError(ConflictError):
    """Somebody has stored another state of a job meanwhile: look again, and decide anew."""


JobMark = tuple[object, ...]
"""See `marks`."""


def _build(row: Job) -> JobRow:
    labelled = row.train_total + row.eval_total + row.holdout_total
    return JobRow(
        id=row.id,
        key=JobKey(namespace=row.namespace, name=row.name),
        spec=JobSpec.model_validate(row.spec),
        metadata=row.meta,
        generation=row.generation,
        state=JobState.model_validate(row.state),
        seq=row.seq,
        totals=SampleTotals(
            samples=row.samples,
            labelled=labelled,
            train=row.train_total,
            eval=row.eval_total,
            holdout=row.holdout_total,
        ),
        found_classes=tuple(row.found_classes or ()),
        degraded=row.degraded,
        degraded_at=row.degraded_at,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def _select(session: Session, key: JobKey) -> Job | None:
    return session.scalar(select(Job).where(Job.namespace == key.namespace, Job.name == key.name))


def find(session: Session, key: JobKey) -> JobRow | None:
    """The job, also a deleted one, or None."""
    row = _select(session, key)
    return None if row is None else _build(row)


def get(session: Session, key: JobKey) -> JobRow:
    """The job. Raises `NotFoundError` when there is none, or it was deleted."""
    row = find(session, key)
    if row is None or row.deleted_at is not None:
        raise NotFoundError("there is no such job", where=str(key), hint="list the jobs to see their names")
    return row


def by_id(session: Session, job_id: int) -> JobRow:
    """The job of a row id, also a deleted one."""
    row = session.get(Job, job_id)
    if row is None:
        raise NotFoundError("there is no such job", where=f"job row {job_id}")
    return _build(row)


def list_all(session: Session, *, namespace: str | None = None) -> tuple[JobRow, ...]:
    """Every job that was not deleted, by namespace and name."""
    query = select(Job).where(Job.deleted_at.is_(None)).order_by(Job.namespace, Job.name)
    if namespace is not None:
        query = query.where(Job.namespace == namespace)
    return tuple(_build(row) for row in session.scalars(query))


def marks(session: Session) -> dict[int, JobMark]:
    """What changes whenever there is news of a job, by row id; of deleted jobs too: the engine clears up after those.

    Uploads, labels, edits, requests and decisions all change it, whichever process made them. Nothing of it is
    meaningful but whether it is equal to an earlier one.
    """
    columns = (
        Job.id, Job.generation, Job.seq, Job.label_seq, Job.samples,
        Job.train_total, Job.eval_total, Job.holdout_total, Job.updated_at, Job.deleted_at,
    )  # fmt: skip
    return {row[0]: tuple(row[1:]) for row in session.execute(select(*columns).order_by(Job.id))}


def marks_by_key(session: Session) -> dict[JobKey, JobMark]:
    """The same by name, for those who show what became of jobs: what stands in their way is news as well."""
    columns = (
        Job.generation, Job.seq, Job.label_seq, Job.samples, Job.train_total, Job.eval_total, Job.holdout_total,
        Job.degraded, Job.updated_at, Job.deleted_at,
    )  # fmt: skip
    query = select(Job.namespace, Job.name, *columns)
    # Names that were checked when they came in, a thousand of them every few seconds.
    return {
        JobKey.model_construct(namespace=namespace, name=name): tuple(mark)
        for namespace, name, *mark in session.execute(query)
    }


def insert(session: Session, key: JobKey, spec: JobSpec, metadata: dict[str, Any], now: datetime) -> JobRow:
    """Create a job. Raises `ConflictError` when the name is taken, also by a deleted job: `revive` that one."""
    # Also a deleted job keeps its name: its models and samples lie below that in the store.
    if _select(session, key) is not None:
        raise ConflictError("a job of this name exists", where=str(key))
    row = Job(
        namespace=key.namespace,
        name=key.name,
        spec=_dump(spec),
        meta=metadata,
        generation=1,
        state=initial_state(now).model_dump(mode="json"),
        seq=0,
        label_seq=0,
        next_ordinal=0,
        next_model=1,
        next_dataset=1,
        samples=0,
        train_total=0,
        eval_total=0,
        holdout_total=0,
        created_at=now,
        updated_at=now,
    )
    session.add(row)
    session.flush()
    return _build(row)


def replace_spec(session: Session, job_id: int, spec: JobSpec, metadata: dict[str, Any], now: datetime) -> None:
    """Store an edited description; the state and the samples stay. A deleted job comes back with its history."""
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        # Counted by the database, so that two edits at a time make two generations.
        .values(spec=_dump(spec), meta=metadata, generation=Job.generation + 1, updated_at=now, deleted_at=None)
    )


def mark_deleted(session: Session, job_id: int, now: datetime) -> None:
    """Take a job out of service; its models, samples and history stay."""
    session.execute(update(Job).where(Job.id == job_id).values(deleted_at=now, updated_at=now))


def swap_state(session: Session, job_id: int, seq: int, state: JobState) -> None:
    """Store ``state`` if nobody else has since ``seq`` was read; the row stays locked until the commit.

    Raises:
        MovedOnError: somebody else has.
    """
    # Compare and swap in one statement: an engine that has read an older state has decided on the past, and must look
    # again.
    statement = update(Job).where(Job.id == job_id, Job.seq == seq)
    if execute_dml(session, statement.values(state=state.model_dump(mode="json"), seq=seq + 1)) != 1:
        raise MovedOnError(f"the state of job row {job_id} moved on from {seq}", where="database")


def set_degraded(session: Session, job_id: int, reason: str | None, now: datetime) -> bool:
    """Note why a job stands still, or (None) that it does not. Returns whether that is news."""
    reason = storable(reason)  # as it is kept, for the comparison
    row = session.get(Job, job_id)
    if row is None or row.degraded == reason:
        return False
    row.degraded = reason
    row.degraded_at = None if reason is None else now
    return True


def keep_classes(session: Session, job_id: int, before: Sequence[str], names: Sequence[str]) -> bool:
    """Remember what a label file has called the classes of a job that names none.

    Args:
        before: the names that the file was read with.

    Returns:
        False where another file has brought names meanwhile, which would give other numbers: read it again.
    """
    query = select(Job).where(Job.id == job_id).with_for_update()
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None or list(row.found_classes or ()) != list(before):
        return False
    if list(names) != list(before):
        row.found_classes = list(names)
        session.flush()
    return True


_DATASETS: Final = (("dataset", "name"),)
_MODELS: Final = (
    ("initialModel", "name"),
    ("deploySpec", "model", "name"),
    ("evalSpec", "initialEvalModel", "name"),
)
"""Where a description names them."""


def users_of(session: Session, namespace: str, kind: str, name: str) -> tuple[JobRow, ...]:
    """Jobs that refer to a Dataset or a Model, and were not deleted, by name."""
    # Compared by the database: with a thousand jobs, reading all their descriptions for each of their Datasets was
    # most of what applying them cost.
    spec = type_coerce(Job.spec, JSON())
    named = [spec[place].as_string() == name for place in (_DATASETS if kind == "Dataset" else _MODELS)]
    query = select(Job).where(Job.namespace == namespace, Job.deleted_at.is_(None), or_(*named)).order_by(Job.name)
    return tuple(_build(row) for row in session.scalars(query))


def _dump(spec: JobSpec) -> dict[str, Any]:
    return spec.model_dump(mode="json", by_alias=True, exclude_unset=True)
