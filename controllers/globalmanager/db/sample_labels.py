"""Labels of samples.

Rules: the first label of a sample gives it the job's next ordinal and with it a part, for ever; the history grows.
A label of the frozen hold-out changes only where that is asked for.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from globalmanager.db import rounds, sample_checks
from globalmanager.db.sample_rows import build, build_label, find_row, label_of, locked_job
from globalmanager.db.tables import Job, Label, Sample
from globalmanager.db.values import SampleRow
from sedna.common.errors import ConflictError, DataError, NotFoundError
from sedna.common.types import Annotation, Picked
from sedna.loop.split import part_of


class HoldoutError(DataError):
    """A label of the frozen hold-out would change, and nobody has asked for that."""

    def __init__(self, sample_id: str, where: str = "") -> None:
        super().__init__(
            "it is frozen hold-out and has another label: evaluations of earlier rounds have used that one",
            where=where or f"sample {sample_id}",
            hint="--holdout (REST: holdout) changes it all the same, and marks those evaluations",
        )


def add_label(
    session: Session,
    job_id: int,
    sample_id: str,
    annotation: Annotation,
    author: str,
    now: datetime,
    *,
    holdout: bool = False,
) -> SampleRow:
    """Label a sample, or label it again: the history grows, the part stays. The same statement again changes nothing.

    Args:
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
    if current is not None and current.annotation == annotation:
        return build(sample, current)
    require_included(session, job_id, sample_id, f"sample {sample_id}")
    if current is not None and sample.part == "holdout":
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
        created_at=now,
    )
    session.add(label)
    if sample.labelled_at is None:
        _first_label(job, sample, now)
    sample.label_seq = job.label_seq
    # Counted now, against the prediction of that time: the drift of the model in service is then a sum over rows, and
    # needs no prediction again.
    counts = sample_checks.labelled(session, sample, annotation)
    if sample.picked == Picked.AUDIT:
        sample.tp, sample.fp, sample.fn = counts
    session.flush()
    return build(sample, build_label(label))


def keeps_label(session: Session, job_id: int, sample_id: str, annotation: Annotation) -> bool:
    """Whether `add_label` would refuse this one, because the sample is hold-out and has another."""
    sample = find_row(session, job_id, sample_id)
    if sample is None or sample.part != "holdout":
        return False
    current = label_of(session, sample)
    return current is not None and current.annotation != annotation


def _first_seq(session: Session, sample: Sample) -> int:
    return session.scalar(select(func.min(Label.seq)).where(Label.sample_pk == sample.id)) or 0


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
    if sample.part == "holdout":
        job.holdout_total += 1
        return
    # The part follows from the place among the first labels, not from a draw: every share has the wanted size after
    # every sample, and a repeated run has the same parts.
    # One that was taken back from a dataset version has its part already.
    sample.ordinal = job.next_ordinal
    sample.part = sample.part or part_of(job.next_ordinal, float(job.spec["dataset"]["trainProb"]))
    job.next_ordinal += 1
    if sample.part == "train":
        job.train_total += 1
    else:
        job.eval_total += 1
