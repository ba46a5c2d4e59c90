"""Rows for what the store still has and the database has lost, and what there is to compare."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from globalmanager.db import jobs, models, purge, sample_labels, samples
from globalmanager.db.label_values import LabelSource
from globalmanager.db.sample_rows import find_row
from globalmanager.db.tables import DatasetVersion, Job, ModelVersion, Sample, SampleExclusion
from globalmanager.db.values import JobRow
from sedna.common.types import JobKey, SampleRecord, Value
from sedna.store.datasets import DatasetEntry, DatasetPart

__all__ = ["Known", "KnownSample", "all_jobs", "known", "move_on", "take_back"]

AUTHOR = "sedna repair"
"""Of labels that come from dataset versions in the store."""


class KnownSample(Value):
    """What the database says of a sample's objects. ``deleted``: on purpose, and they should be gone."""

    extension: str
    size: int
    deleted: bool


class Known(Value):
    """What the database has of a job, to be compared with the store."""

    samples: dict[str, KnownSample]
    datasets: dict[int, str | None]
    """The key of its manifest; None = not written yet."""
    models: dict[int, str]
    """The sha256 of its manifest."""
    next_dataset: int
    next_model: int
    next_round: int
    purging: bool
    """Its objects are being deleted: nothing of it is lost."""


def all_jobs(session: Session) -> dict[JobKey, int]:
    """The row of every job, also of deleted ones, which keep what they have."""
    query = select(Job.namespace, Job.name, Job.id).order_by(Job.id)
    return {JobKey(namespace=namespace, name=name): row for namespace, name, row in session.execute(query)}


def known(session: Session, job_id: int) -> Known:
    """Everything that the database has of a job."""
    deleted = select(SampleExclusion.sample_pk).where(
        SampleExclusion.job_id == job_id, SampleExclusion.deleted.is_(True), SampleExclusion.until_seq.is_(None)
    )
    gone = set(session.scalars(deleted))
    rows = session.execute(
        select(Sample.id, Sample.sample_id, Sample.extension, Sample.record)
        .where(Sample.job_id == job_id)
        .execution_options(yield_per=1000)
    )
    found = {
        sample: KnownSample(extension=extension, size=record["size"], deleted=row in gone)
        for row, sample, extension, record in rows
    }
    versions = select(DatasetVersion.version, DatasetVersion.manifest_key).where(DatasetVersion.job_id == job_id)
    manifests = select(ModelVersion.version, ModelVersion.manifest_sha256).where(ModelVersion.job_id == job_id)
    job = session.get_one(Job, job_id)
    row = jobs.by_id(session, job_id)
    return Known(
        samples=found,
        datasets={row[0]: row[1] for row in session.execute(versions)},
        models={row[0]: row[1] for row in session.execute(manifests)},
        next_dataset=job.next_dataset,
        next_model=max(job.next_model, models.INITIAL + 1),
        next_round=row.state.next_round,
        purging=purge.is_purging(row),
    )


def take_back(session: Session, job_id: int, record: SampleRecord, entry: DatasetEntry | None, now: datetime) -> bool:
    """Make a row again for a sample whose objects are in the store.

    Args:
        entry: what a dataset version says of it: its part stays, or a model could be judged by what it has learnt.

    Returns:
        False if the job has it, which is left as it is, or if the job has gone.
    """
    job = session.get(Job, job_id)
    if job is None or purge.is_purging(jobs.by_id(session, job_id)):
        return False
    holdout = entry is not None and entry.part is DatasetPart.HOLDOUT
    if not samples.insert(session, job_id, record, now, holdout=holdout):
        return False
    row = find_row(session, job_id, record.sample_id)
    if entry is not None and row is not None:
        row.part = entry.part.value
        sample_labels.add_label(
            session, job_id, record.sample_id, entry.annotation, AUTHOR, now, source=LabelSource.IMPORT
        )
        row.round_used = entry.round
        session.flush()
    return True


def move_on(session: Session, job_id: int, *, dataset: int, model: int, round_id: int) -> JobRow:
    """Give out no number up to these: the store has versions and rounds under them."""
    row = session.get_one(Job, job_id)
    session.execute(
        update(Job)
        .where(Job.id == job_id)
        .values(next_dataset=max(row.next_dataset, dataset + 1), next_model=max(row.next_model, model + 1))
    )
    job = jobs.by_id(session, job_id)
    if job.state.next_round <= round_id:
        jobs.swap_state(session, job_id, job.seq, job.state.model_copy(update={"next_round": round_id + 1}))
    return jobs.by_id(session, job_id)
