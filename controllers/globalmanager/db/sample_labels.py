"""Labels of samples.

Rules: the first label of a sample gives it the job's next ordinal and with it a part, for ever; the history grows.
A label of the frozen hold-out changes only where that is asked for.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from globalmanager.db import rounds, sample_checks
from globalmanager.db.label_states import close_series
from globalmanager.db.label_values import LabelSource
from globalmanager.db.sample_rows import build, build_label, find_row, label_of, locked_job
from globalmanager.db.tables import DatasetVersion, Job, Label, Sample
from globalmanager.db.values import LabelRow, SampleRow
from sedna.common.errors import ConflictError, DataError, NotFoundError
from sedna.common.types import Annotation, Picked
from sedna.loop.split import part_of


class HoldoutError(DataError):
    """A label of the frozen hold-out would change, and nobody has asked for that."""

    def __init__(
        self,
        sample_id: str,
        where: str = "",
        *,
        problem: str = "has another label: evaluations of earlier rounds have used that one",
        hint: str = "--holdout (REST: holdout) changes it all the same, and marks those evaluations",
    ) -> None:
        super().__init__(f"it is frozen hold-out and {problem}", where=where or f"sample {sample_id}", hint=hint)


def add_label(
    session: Session,
    job_id: int,
    sample_id: str,
    annotation: Annotation,
    author: str,
    now: datetime,
    *,
    source: LabelSource = LabelSource.PERSON,
    holdout: bool = False,
    again: bool = False,
    of_answers: bool = False,
) -> SampleRow:
    """Label a sample, or label it again: the history grows, the part stays. The same statement again changes nothing.

    Open answers to the sample count no longer, and a review is over.

    Args:
        of_answers: the open answers have settled this label: they are noted with it.
        again: the same statement is a new entry all the same: somebody has looked at it once more.
        holdout: whether a label of the frozen hold-out may change; the rounds that saw the earlier one are marked.

    Raises:
        NotFoundError: the job has no such sample.
        HoldoutError: it is hold-out, has another label, and ``holdout`` is not set.
        ConflictError: it was excluded.
    """
    job = locked_job(session, job_id)
    sample = find_row(session, job_id, sample_id)
    if sample is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    current = label_of(session, sample)
    # No row for the same statement: an import that is repeated must not make every sample look new to the trigger.
    if current is not None and current.annotation == annotation and not again:
        if not sample.excluded:
            close_series(session, sample)
        return build(sample, current)
    require_included(session, job_id, sample_id, f"sample {sample_id}")
    if current is not None and current.annotation != annotation and sample.part == "holdout":
        if not holdout:
            raise HoldoutError(sample_id)
        rounds.holdout_changed(session, job_id, _first_seq(session, sample), author, now)
    job.label_seq += 1
    label = Label(
        job_id=job_id,
        sample_pk=sample.id,
        seq=job.label_seq,
        annotation=annotation.model_dump(mode="json"),
        author=author,
        source=source.value,
        created_at=now,
    )
    session.add(label)
    if sample.labelled_at is None:
        _first_label(job, sample, now)
    sample.label_seq = job.label_seq
    _compare(session, sample, annotation)
    close_series(session, sample, job.label_seq if of_answers else None)
    session.flush()
    return build(sample, build_label(label))


def withdraw_label(session: Session, job_id: int, sample_id: str, seq: int, now: datetime) -> None:
    """Take the current label of a sample back: the one before it counts again, or none. The history keeps it.

    Raises:
        ConflictError: a dataset version holds it, it is not the current one, or the sample was excluded.
    """
    job = locked_job(session, job_id)
    sample = find_row(session, job_id, sample_id)
    where = f"sample {sample_id}"
    if sample is None or sample.label_seq != seq:
        raise ConflictError("it has another label by now", where=where, hint="say what is right in a new label")
    query = select(DatasetVersion.version, DatasetVersion.round).where(
        DatasetVersion.job_id == job_id, DatasetVersion.label_seq >= seq
    )
    taken = session.execute(query.order_by(DatasetVersion.version).limit(1)).first()
    if taken is not None:
        raise ConflictError(
            f"round {taken.round} has taken the label into dataset version {taken.version}",
            where=where,
            hint="say what is right in a new label; the next round takes that one",
        )
    require_included(session, job_id, sample_id, where)
    label = session.scalars(select(Label).where(Label.job_id == job_id, Label.seq == seq)).one()
    label.withdrawn_at = now
    session.flush()
    before = session.scalar(
        select(Label)
        .where(Label.sample_pk == sample.id, Label.withdrawn_at.is_(None))
        .order_by(Label.seq.desc())
        .limit(1)
    )
    sample.label_seq = None if before is None else before.seq
    if before is None:
        _count_first(job, sample, -1)
        sample.labelled_at = sample.tp = sample.fp = sample.fn = None
        sample_checks.unlabelled(session, sample)
    else:
        _compare(session, sample, Annotation.model_validate(before.annotation))
    session.flush()


def _compare(session: Session, sample: Sample, annotation: Annotation) -> None:
    # Counted now, against the prediction of that time: the drift of the model in service is then a sum over rows, and
    # needs no prediction again.
    counts = sample_checks.labelled(session, sample, annotation)
    if sample.picked == Picked.AUDIT:
        sample.tp, sample.fp, sample.fn = counts


def keeps_label(session: Session, job_id: int, sample_id: str, annotation: Annotation) -> bool:
    """Whether `add_label` would refuse this one, because the sample is hold-out and has another."""
    sample = find_row(session, job_id, sample_id)
    if sample is None or sample.part != "holdout":
        return False
    current = label_of(session, sample)
    return current is not None and current.annotation != annotation


def current_label(session: Session, job_id: int, sample_id: str) -> LabelRow | None:
    """The label of a sample, or None."""
    sample = find_row(session, job_id, sample_id)
    return None if sample is None else label_of(session, sample)


def _first_seq(session: Session, sample: Sample) -> int:
    query = select(func.min(Label.seq)).where(Label.sample_pk == sample.id, Label.withdrawn_at.is_(None))
    return session.scalar(query) or 0


def require_included(session: Session, job_id: int, sample_id: str, where: str) -> None:
    """Raise `ConflictError` if the sample was taken out."""
    sample = find_row(session, job_id, sample_id)
    if sample is not None and sample.excluded:
        raise ConflictError("the sample was excluded", where=where, hint="'sedna sample include' takes it in again")


def newest_labels(session: Session, job_id: int, limit: int) -> tuple[Annotation, ...]:
    """The current labels of samples that count, of the last ``limit`` statements."""
    query = (
        select(Label.annotation)
        .join(Sample, Sample.id == Label.sample_pk)
        .where(Label.job_id == job_id, Sample.label_seq == Label.seq, Sample.excluded.is_(False))
        .order_by(Label.seq.desc())
        .limit(limit)
    )
    return tuple(Annotation.model_validate(found) for found in session.scalars(query))


def last_label(session: Session, job_id: int, sample_id: str, authors: str) -> Annotation | None:
    """The newest label of a sample by one of these authors, also where others have labelled it since.

    Args:
        authors: what their names begin with.
    """
    query = (
        select(Label.annotation)
        .join(Sample, Sample.id == Label.sample_pk)
        .where(
            Label.job_id == job_id,
            Sample.job_id == job_id,
            Sample.sample_id == sample_id,
            Label.author.startswith(authors, autoescape=True),
        )
        .order_by(Label.seq.desc())
        .limit(1)
    )
    found = session.scalar(query)
    return None if found is None else Annotation.model_validate(found)


def _first_label(job: Job, sample: Sample, now: datetime) -> None:
    sample.labelled_at = now
    # The part follows from the place among the first labels, not from a draw: every share has the wanted size after
    # every sample, and a repeated run has the same parts.
    # One that was taken back from a dataset version has its part already; one whose label was withdrawn its place.
    if sample.part != "holdout" and sample.ordinal is None:
        sample.ordinal = job.next_ordinal
        sample.part = sample.part or part_of(job.next_ordinal, float(job.spec["dataset"]["trainProb"]))
        job.next_ordinal += 1
    _count_first(job, sample, 1)


def _count_first(job: Job, sample: Sample, change: int) -> None:
    if sample.part == "holdout":
        job.holdout_total += change
    elif sample.part == "train":
        job.train_total += change
    else:
        job.eval_total += change
