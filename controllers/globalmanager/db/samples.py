"""Samples and their labels.

Rules: a sample is one row per job, by its content. Its first label gives it the job's next ordinal and with it a part,
for ever; a sample that came as hold-out stays hold-out. A round uses a sample once, unless it releases it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal_column, select, update
from sqlalchemy.orm import Session

from globalmanager.db import exclusions, sample_checks, sample_search
from globalmanager.db.paging import execute_dml
from globalmanager.db.queue_ranks import ranks_of
from globalmanager.db.sample_rows import build, build_label, find_row, label_of, locked_job, verdict_columns
from globalmanager.db.tables import DatasetVersion, Job, Label, ModelVersion, Sample
from globalmanager.db.values import SampleFilter, SamplePage, SampleRow, SampleStory
from sedna.common.errors import NotFoundError
from sedna.common.types import SampleRecord
from sedna.loop.audit import audit_metrics
from sedna.loop.observation import AuditMetrics, SampleCounts

_BATCH = 500  # below the limit of bound parameters of every database

_IS_AUDIT = Sample.picked == literal_column("'audit'")
"""Spelt out: a bound value could not be seen to match the condition of the index on audited samples."""


def insert(
    session: Session,
    job_id: int,
    record: SampleRecord,
    now: datetime,
    *,
    source: str | None = None,
    holdout: bool = False,
) -> bool:
    """Add a sample. False when the job has it already: then it only learns its file name, if it had none."""
    job = locked_job(session, job_id)
    known = find_row(session, job_id, record.sample_id)
    if known is not None:
        # The first name stays: labels that were imported by it must find the sample again.
        known.source = known.source or source
        session.flush()
        return False
    sample = Sample(
        job_id=job_id,
        sample_id=record.sample_id,
        record=record.model_dump(mode="json"),
        extension=record.extension,
        picked=record.picked.value,
        edge=record.edge,
        model_version=record.model_version,
        source=source,
        received_at=now,
        part="holdout" if holdout else None,
        **verdict_columns(record.verdict),
        **ranks_of(record.prediction),
    )
    session.add(sample)
    job.samples += 1
    session.flush()
    sample_checks.arrived(session, sample, record)
    return True


def hold_out(session: Session, job_id: int, sample_id: str) -> bool:
    """Keep a sample from training for ever. False when it is too late: it belongs to another part already."""
    locked_job(session, job_id)
    sample = find_row(session, job_id, sample_id)
    if sample is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    # One that has a part was in a dataset version, and a model may have learnt from it.
    if sample.part is None:
        sample.part = "holdout"
        session.flush()
    return sample.part == "holdout"


def counts(session: Session, job_id: int) -> SampleCounts:
    """What the trigger looks at. The cost grows with the unused labelled samples, not with all samples."""
    job = session.get_one(Job, job_id)
    train, oldest_train = _new(session, job_id, "train")
    judged, oldest_judged = _new(session, job_id, "eval")
    oldest = min((time for time in (oldest_train, oldest_judged) if time is not None), default=None)
    return SampleCounts(
        train_new=train,
        eval_new=judged,
        train_total=job.train_total,
        unlabelled=job.samples - job.train_total - job.eval_total - job.holdout_total,
        oldest_new_at=oldest,
    )


def _new(session: Session, job_id: int, part: str) -> tuple[int, datetime | None]:
    """Unused labelled samples of a part: how many, and when the oldest was labelled.

    One question per part: grouped by part, SQLite prefers to walk all samples in the order of their parts.
    """
    query = select(func.count(), func.min(Sample.labelled_at)).where(
        Sample.job_id == job_id,
        Sample.part == part,
        Sample.labelled_at.is_not(None),
        Sample.round_used.is_(None),
        Sample.excluded.is_(False),
    )
    count, oldest = session.execute(query).one()
    return count, oldest


def audit(session: Session, job_id: int, model_version: int, window: int) -> AuditMetrics | None:
    """The model on its newest ``window`` labelled audit samples; None when there is none."""
    query = (
        select(Sample.tp, Sample.fp, Sample.fn)
        .where(
            Sample.job_id == job_id,
            Sample.model_version == model_version,
            _IS_AUDIT,
            Sample.labelled_at.is_not(None),
            Sample.excluded.is_(False),
        )
        .order_by(Sample.id.desc())
        .limit(window)
    )
    rows = [(tp or 0, fp or 0, fn or 0) for tp, fp, fn in session.execute(query)]
    return audit_metrics(rows) if rows else None


def take_new(session: Session, job_id: int, round_id: int) -> int:
    """Mark every unused labelled sample as used by round ``round_id``; returns how many."""
    unused = (Sample.labelled_at.is_not(None), Sample.round_used.is_(None), Sample.excluded.is_(False))
    return _mark(session, job_id, unused, round_id)


def release(session: Session, job_id: int, round_id: int) -> int:
    """Undo `take_new`, for a round that taught nothing."""
    return _mark(session, job_id, (Sample.round_used == round_id,), None)


def _mark(session: Session, job_id: int, conditions: Sequence[ColumnElement[bool]], round_id: int | None) -> int:
    changed = execute_dml(
        session,
        update(Sample)
        .where(Sample.job_id == job_id, *conditions)
        .values(round_used=round_id)
        # No object of these rows is in the session; looking for them would read every one.
        .execution_options(synchronize_session=False),
    )
    return changed


def get(session: Session, job_id: int, sample_id: str) -> SampleRow:
    """A sample with its current label. Raises `NotFoundError`."""
    sample = find_row(session, job_id, sample_id)
    if sample is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    return build(sample, label_of(session, sample))


def exists(session: Session, job_id: int, sample_id: str) -> bool:
    """Whether the job has this sample."""
    return find_row(session, job_id, sample_id) is not None


def by_source(session: Session, job_id: int, sources: Sequence[str]) -> dict[str, str]:
    """Sample ids by the file name they were imported from."""
    found: dict[str, str] = {}
    for start in range(0, len(sources), _BATCH):
        wanted = sources[start : start + _BATCH]
        query = select(Sample.source, Sample.sample_id).where(Sample.job_id == job_id, Sample.source.in_(wanted))
        found.update((source, sample) for source, sample in session.execute(query) if source is not None)
    return found


def list_page(
    session: Session,
    job_id: int,
    wanted: SampleFilter | None = None,
    *,
    limit: int = 100,
    cursor: str | None = None,
    newest_first: bool = True,
) -> SamplePage:
    """Samples in the order in which they arrived.

    Raises:
        SpecError: the cursor is not one, or ``limit`` is outside 1..1000.
    """
    ids, following = sample_search.find_ids(
        session, job_id, wanted or SampleFilter(), limit=limit, cursor=cursor, newest_first=newest_first
    )
    found = {row.id: row for row in session.scalars(select(Sample).where(Sample.id.in_(ids)))}
    seqs = [row.label_seq for row in found.values() if row.label_seq is not None]
    labels = {
        label.seq: build_label(label)
        for label in session.scalars(select(Label).where(Label.job_id == job_id, Label.seq.in_(seqs)))
    }
    rows = [found[number] for number in ids]
    built = tuple(build(row, labels.get(row.label_seq) if row.label_seq else None) for row in rows)
    return SamplePage(items=built, next=following)


def story(session: Session, job_id: int, sample_id: str) -> SampleStory:
    """Everything that happened to a sample. Raises `NotFoundError`."""
    row = get(session, job_id, sample_id)
    query = select(Label).where(Label.job_id == job_id, Label.sample_pk == row.id).order_by(Label.seq)
    labels = tuple(build_label(label) for label in session.scalars(query))
    taken_out = exclusions.of_sample(session, job_id, row.id, sample_id)
    # A label that was withdrawn is told, and was in no version.
    first = next((label.seq for label in labels if label.withdrawn_at is None), None)
    if first is None:
        return SampleStory(sample=row, labels=labels, exclusions=taken_out, dataset_versions=(), models=())
    # A version holds every sample whose first label is not newer than its last one, and that was not taken out then.
    holding = select(DatasetVersion.version).where(
        DatasetVersion.job_id == job_id,
        DatasetVersion.label_seq >= first,
        exclusions.is_in(row.id, DatasetVersion.label_seq),
    )
    versions = tuple(session.scalars(holding.order_by(DatasetVersion.version)))
    models: tuple[int, ...] = ()
    trained_in: tuple[int, ...] = ()
    # Evaluation samples are in the versions as well, and no model has learnt from them.
    if row.part == "train":
        trained = select(ModelVersion.version).where(
            ModelVersion.job_id == job_id, ModelVersion.dataset_version.in_(holding)
        )
        models = tuple(session.scalars(trained.order_by(ModelVersion.version)))
        by_round = trained.with_only_columns(ModelVersion.round).where(ModelVersion.round.is_not(None)).distinct()
        trained_in = tuple(session.scalars(by_round.order_by(ModelVersion.round)))
    return SampleStory(
        sample=row,
        labels=labels,
        exclusions=taken_out,
        dataset_versions=versions,
        models=models,
        rounds=trained_in,
        checked=sample_checks.of_sample(session, row.id),
    )
