"""Samples that were taken out: nothing new learns from them or is judged by them.

Taking out and in count like labels, so that a dataset version ("everything up to label n") always holds the same
samples, whatever is taken out later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from globalmanager.db.label_states import close_series
from globalmanager.db.label_values import LabelState
from globalmanager.db.tables import Job, Label, Sample, SampleExclusion
from globalmanager.db.values import ExclusionRow
from sedna.common.errors import ConflictError, NotFoundError


def exclude(
    session: Session, job_id: int, sample_id: str, *, reason: str, author: str, now: datetime, deleted: bool = False
) -> bool:
    """Take a sample out. Of one that is out because people found the picture bad, this is a new decision: it stays out
    whatever they take back.

    Args:
        deleted: its bytes are deleted as well, now or after the commit.

    Returns:
        False if it was out already, in this way.

    Raises:
        NotFoundError: the job has no such sample.
    """
    job, sample = _locked(session, job_id, sample_id)
    last = _last(session, sample)
    is_bad = sample.label_state == LabelState.BAD
    if sample.excluded and last is not None:
        if last.deleted or not (deleted or is_bad):
            return False
        last.until_seq = job.label_seq + 1  # what follows says more of it
    else:
        _count(job, sample, -1)
    job.label_seq += 1
    sample.excluded = True
    sample.problem, sample.problem_at = None, None
    if is_bad:
        close_series(session, sample)
    session.add(
        SampleExclusion(
            job_id=job_id,
            sample_pk=sample.id,
            seq=job.label_seq,
            deleted=deleted,
            reason=reason,
            author=author,
            created_at=now,
        )
    )
    session.flush()
    return True


def include(session: Session, job_id: int, sample_id: str, now: datetime) -> bool:
    """Take a sample in again; of one that was deleted, the bytes are missing until somebody uploads them.

    Returns:
        False if it was not out.

    Raises:
        NotFoundError: the job has no such sample.
    """
    job, sample = _locked(session, job_id, sample_id)
    last = _last(session, sample)
    if not sample.excluded or last is None:
        return False
    job.label_seq += 1
    last.until_seq = job.label_seq
    sample.excluded = False
    if sample.label_state == LabelState.BAD:
        close_series(session, sample)  # people look at it afresh
    if last.deleted:
        sample.problem, sample.problem_at = "its picture was deleted from the store", now
    _count(job, sample, 1)
    session.flush()
    return True


def require_kept(session: Session, job_id: int, sample_id: str) -> None:
    """Raise `ConflictError`, with reason and author, if the sample was deleted on purpose."""
    query = (
        select(SampleExclusion)
        .join(Sample, Sample.id == SampleExclusion.sample_pk)
        .where(Sample.job_id == job_id, Sample.sample_id == sample_id, Sample.excluded.is_(True))
        .order_by(SampleExclusion.id.desc())
        .limit(1)
    )
    row = session.scalar(query)
    if row is not None and row.deleted:
        raise ConflictError(
            f"{row.author} has deleted it on {row.created_at:%Y-%m-%d}: {row.reason}",
            where=f"sample {sample_id}",
            hint="'sedna sample include' allows it again",
        )


def is_in(sample: int | InstrumentedAttribute[int], label_seq: int | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """The condition that a sample, by its row, was not out at label ``label_seq``."""
    return ~exists().where(
        SampleExclusion.sample_pk == sample,
        SampleExclusion.seq <= label_seq,
        or_(SampleExclusion.until_seq.is_(None), SampleExclusion.until_seq > label_seq),
    )


def of_sample(session: Session, job_id: int, sample_pk: int, sample_id: str) -> tuple[ExclusionRow, ...]:
    """What happened to a sample, the oldest first."""
    query = select(SampleExclusion).where(SampleExclusion.job_id == job_id, SampleExclusion.sample_pk == sample_pk)
    return tuple(_build(row, sample_id) for row in session.scalars(query.order_by(SampleExclusion.id)))


class Removed:
    """The samples of a job that are out now, to be asked which of them a dataset version holds."""

    def __init__(self, rows: Sequence[tuple[int, int, ExclusionRow]]) -> None:
        self._rows = rows

    def of(self, label_seq: int) -> tuple[ExclusionRow, ...]:
        """Those that the version up to this label holds: labelled by then, and taken out later."""
        return tuple(row for first, seq, row in self._rows if first <= label_seq < seq)


def removed(session: Session, job_id: int) -> Removed:
    """Which samples are out now."""
    first = func.min(Label.seq)
    query = (
        select(SampleExclusion, Sample.sample_id, first)
        .join(Sample, Sample.id == SampleExclusion.sample_pk)
        .join(Label, Label.sample_pk == Sample.id)
        .where(SampleExclusion.job_id == job_id, SampleExclusion.until_seq.is_(None), Label.withdrawn_at.is_(None))
        .group_by(SampleExclusion.id, Sample.sample_id)
        .order_by(SampleExclusion.id)
    )
    # One that was excluded before it was deleted was out from then on.
    since = _out_since(session, job_id)
    return Removed(
        [
            (seq, since.get(row.sample_pk, row.seq), _build(row, sample_id))
            for row, sample_id, seq in session.execute(query)
        ]
    )


def _out_since(session: Session, job_id: int) -> dict[int, int]:
    """By row of a sample that is out: the number from which on it was, without a break."""
    found: dict[int, tuple[int, int | None]] = {}
    query = select(SampleExclusion.sample_pk, SampleExclusion.seq, SampleExclusion.until_seq).where(
        SampleExclusion.job_id == job_id
    )
    for sample, seq, until in session.execute(query.order_by(SampleExclusion.id)):
        start, end = found.get(sample, (seq, None))
        found[sample] = (start if end == seq else seq, until)
    return {sample: start for sample, (start, end) in found.items() if end is None}


def _build(row: SampleExclusion, sample_id: str) -> ExclusionRow:
    return ExclusionRow(
        sample_id=sample_id,
        deleted=row.deleted,
        reason=row.reason,
        author=row.author,
        created_at=row.created_at,
        ended=row.until_seq is not None,
    )


def _locked(session: Session, job_id: int, sample_id: str) -> tuple[Job, Sample]:
    job = session.scalar(select(Job).where(Job.id == job_id).with_for_update())
    sample = session.scalar(select(Sample).where(Sample.job_id == job_id, Sample.sample_id == sample_id))
    if job is None or sample is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    return job, sample


def _last(session: Session, sample: Sample) -> SampleExclusion | None:
    query = select(SampleExclusion).where(SampleExclusion.sample_pk == sample.id)
    return session.scalar(query.order_by(SampleExclusion.id.desc()).limit(1))


def _count(job: Job, sample: Sample, change: int) -> None:
    """Totals are of the samples that count."""
    job.samples += change
    if sample.labelled_at is None:
        return
    if sample.part == "train":
        job.train_total += change
    elif sample.part == "eval":
        job.eval_total += change
    elif sample.part == "holdout":
        job.holdout_total += change
