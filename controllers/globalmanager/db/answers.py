"""What people have answered. An answer is never changed, but for what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from globalmanager.db.label_states import close_series
from globalmanager.db.label_tables import LabelAnswer
from globalmanager.db.label_values import AnswerKind, AnswerRow, LabelState
from globalmanager.db.queue_ranks import disagreement_of
from globalmanager.db.tables import Sample
from sedna.common.errors import NotFoundError
from sedna.common.types import Annotation, Value

_BATCH = 500  # below the limit of bound parameters of every database


class NewAnswer(Value):
    """An answer to be stored."""

    kind: AnswerKind
    annotation: Annotation | None
    base_seq: int
    shown_version: int | None
    seconds: float
    undoes: int
    idempotency_key: str | None
    body_sha256: str


def add(session: Session, job_id: int, sample_pk: int, person: str, answer: NewAnswer, now: datetime) -> AnswerRow:
    """Store an answer that counts. The person has no other open one of this sample."""
    row = LabelAnswer(
        job_id=job_id,
        sample_pk=sample_pk,
        open_for=sample_pk,
        person=person,
        created_at=now,
        annotation=None if answer.annotation is None else answer.annotation.model_dump(mode="json"),
        **answer.model_dump(exclude={"annotation"}),
    )
    session.add(row)
    session.get_one(Sample, sample_pk).answers += 1
    session.flush()
    return _build(row)


def get(session: Session, job_id: int, answer_id: int) -> AnswerRow:
    """An answer. Raises `NotFoundError`."""
    row = session.get(LabelAnswer, answer_id)
    if row is None or row.job_id != job_id:
        raise NotFoundError("the job has no such answer", where=f"answer {answer_id}")
    return _build(row)


def by_key(session: Session, job_id: int, person: str, idempotency_key: str) -> AnswerRow | None:
    """The answer that a person gave with a key, or None."""
    query = select(LabelAnswer).where(
        LabelAnswer.job_id == job_id, LabelAnswer.person == person, LabelAnswer.idempotency_key == idempotency_key
    )
    row = session.scalar(query)
    return None if row is None else _build(row)


def open_of(session: Session, sample_pk: int) -> tuple[AnswerRow, ...]:
    """The answers that count for a sample and have settled nothing yet, the oldest first."""
    query = select(LabelAnswer).where(LabelAnswer.open_for == sample_pk).order_by(LabelAnswer.id)
    return tuple(_build(row) for row in session.scalars(query))


def of_sample(session: Session, sample_pk: int) -> tuple[AnswerRow, ...]:
    """Every answer to a sample, the oldest first."""
    query = select(LabelAnswer).where(LabelAnswer.sample_pk == sample_pk).order_by(LabelAnswer.id)
    return tuple(_build(row) for row in session.scalars(query))


def open_of_many(session: Session, sample_pks: Sequence[int]) -> dict[int, list[AnswerRow]]:
    """`open_of` of several samples."""
    found: dict[int, list[AnswerRow]] = {}
    for start in range(0, len(sample_pks), _BATCH):
        wanted = sample_pks[start : start + _BATCH]
        query = select(LabelAnswer).where(LabelAnswer.open_for.in_(wanted)).order_by(LabelAnswer.id)
        for row in session.scalars(query):
            found.setdefault(row.sample_pk, []).append(_build(row))
    return found


def has_open(session: Session, sample_pk: int, person: str) -> bool:
    """Whether a person has answered a sample that is not settled yet."""
    query = select(LabelAnswer.id).where(LabelAnswer.open_for == sample_pk, LabelAnswer.person == person)
    return session.scalar(query) is not None


def withdraw(session: Session, answer: AnswerRow, now: datetime) -> None:
    """An answer counts no longer; the others that had settled a label with it count again, but for those of people who
    have answered once more since. Its own person has not."""
    sample = session.get_one(Sample, answer.sample_pk)
    row = session.get_one(LabelAnswer, answer.id)
    if answer.label_seq is not None:
        newer = select(LabelAnswer.person).where(LabelAnswer.open_for == answer.sample_pk)
        query = select(LabelAnswer).where(
            LabelAnswer.sample_pk == answer.sample_pk,
            LabelAnswer.label_seq == answer.label_seq,
            LabelAnswer.person.not_in(newer),
        )
        for one in session.scalars(query):
            one.open_for, one.label_seq = answer.sample_pk, None
            sample.answers += 1
        session.flush()
    row.open_for = None
    row.withdrawn_at = now
    sample.answers -= 1
    session.flush()


def close(session: Session, sample_pk: int) -> None:
    """The open answers to a sample count no longer: somebody else has decided."""
    close_series(session, session.get_one(Sample, sample_pk))


def set_bad(session: Session, sample_pk: int, *, bad: bool) -> None:
    """Note that a sample is a bad picture, or is none."""
    session.get_one(Sample, sample_pk).label_state = LabelState.BAD.value if bad else None
    session.flush()


def note_disagreement(session: Session, sample_pk: int, classes: Sequence[int]) -> None:
    """Rank a sample by how far the votes for it differ; of a single one nothing follows."""
    if len(classes) < 2:
        return
    session.get_one(Sample, sample_pk).rank_disagreement = disagreement_of(classes)
    session.flush()


def newest(session: Session, job_id: int, limit: int) -> tuple[AnswerRow, ...]:
    """The newest answers of a job that were not withdrawn, the oldest of them first."""
    query = select(LabelAnswer).where(LabelAnswer.job_id == job_id, LabelAnswer.withdrawn_at.is_(None))
    rows = list(session.scalars(query.order_by(LabelAnswer.id.desc()).limit(limit)))
    return tuple(_build(row) for row in reversed(rows))


def by_person(session: Session, job_id: int) -> dict[str, int]:
    """How many answers each person has given, without those that were withdrawn."""
    query = (
        select(LabelAnswer.person, func.count())
        .where(LabelAnswer.job_id == job_id, LabelAnswer.withdrawn_at.is_(None))
        .group_by(LabelAnswer.person)
        .order_by(LabelAnswer.person)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def seconds(session: Session, job_id: int, limit: int) -> list[tuple[str, float]]:
    """Who took how long for the newest answers of a job."""
    query = select(LabelAnswer.person, LabelAnswer.seconds).where(
        LabelAnswer.job_id == job_id, LabelAnswer.withdrawn_at.is_(None)
    )
    return [(person, taken) for person, taken in session.execute(query.order_by(LabelAnswer.id.desc()).limit(limit))]


def _build(row: LabelAnswer) -> AnswerRow:
    return AnswerRow(
        id=row.id,
        sample_pk=row.sample_pk,
        open=row.open_for is not None,
        person=row.person,
        kind=AnswerKind(row.kind),
        annotation=None if row.annotation is None else Annotation.model_validate(row.annotation),
        shown_version=row.shown_version,
        seconds=row.seconds,
        undoes=row.undoes,
        body_sha256=row.body_sha256,
        created_at=row.created_at,
        label_seq=row.label_seq,
        withdrawn_at=row.withdrawn_at,
    )
