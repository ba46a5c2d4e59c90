"""The samples that wait for a label, in the order in which people see them.

Each order is an index over what waits, so that the head of the queue costs the same, however long it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, literal_column, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from globalmanager.db import sample_labels
from globalmanager.db.label_states import state_is, state_of
from globalmanager.db.label_tables import LabelAnswer, LabelClaim
from globalmanager.db.label_values import LabelState, Task
from globalmanager.db.queue_ranks import score_of
from globalmanager.db.sample_rows import find_row
from globalmanager.db.tables import Label, Sample
from sedna.common.errors import NotFoundError
from sedna.common.types import SampleRecord, Value

__all__ = ["RANKED", "Panel", "QueueRow", "Viewer", "head", "overdue", "still_offered", "task"]

_IS_AUDIT = Sample.picked == literal_column("'audit'")
"""Spelt out: a bound value could not be seen to match the condition of an index."""

RANKED: dict[str, InstrumentedAttribute[float]] = {
    "entropy": Sample.rank_entropy,
    "margin": Sample.rank_margin,
    "least_confidence": Sample.rank_confidence,
    "disagreement": Sample.rank_disagreement,
}
"""Orders that are a stored rank."""

_PROBABILITIES = Sample.record[("prediction", "probabilities")]

_BATCH = 500  # below the limit of bound parameters of every database

_LOOKED_AT = 1000
"""Labels that say which classes are rare."""


@dataclass(frozen=True)
class Panel:
    """How many people answer a sample of a job: ``annotators`` for a share of the samples, one for the others.

    Sample ids are hashes, so that those up to a number are a random share, which is the same for everybody.
    """

    annotators: int
    share: float

    @property
    def _cut(self) -> str:
        return "g" if self.share >= 1 else f"{int(self.share * 16**8):08x}"  # "g" comes after every hash

    def wanted(self, sample_id: str) -> int:
        """People who answer this sample."""
        return self.annotators if sample_id < self._cut else 1

    def wanted_in_sql(self) -> ColumnElement[int]:
        """`wanted`, of the row of a query."""
        return case((Sample.sample_id < self._cut, self.annotators), else_=1)

    def answered_in_sql(self) -> ColumnElement[bool]:
        """That a sample has all its answers, by ranges of an index."""
        few = [and_(Sample.answers == k, Sample.sample_id >= self._cut) for k in range(1, self.annotators)]
        return or_(Sample.answers >= self.annotators, *few)


@dataclass(frozen=True)
class Viewer:
    """For whom the queue is: not what the person holds, has answered or skipped, nor what is full."""

    person: str
    panel: Panel
    now: datetime

    def condition(self, *, skipped: bool) -> ColumnElement[bool]:
        """That a sample may be offered.

        Args:
            skipped: of those that the person has skipped, instead.
        """
        mine = aliased(LabelClaim)
        own = exists().where(mine.sample_pk == Sample.id, mine.person == self.person)
        was_skipped = own.where(mine.skipped_at.is_not(None))
        answered = exists().where(LabelAnswer.open_for == Sample.id, LabelAnswer.person == self.person)
        return and_(
            ~own.where(mine.expires_at > self.now),
            was_skipped if skipped else ~was_skipped,
            ~answered,
            Sample.answers + held_in_sql(self.now, self.person) < self.panel.wanted_in_sql(),
        )


def held_in_sql(now: datetime, but: str) -> ColumnElement[int]:
    """How many people hold a sample that has no label, one of them left out."""
    other = aliased(LabelClaim)
    return (
        select(func.count())
        .where(other.sample_pk == Sample.id, other.expires_at > now, other.person != but, other.base_seq == 0)
        .correlate(Sample)
        .scalar_subquery()
    )


class QueueRow(Value):
    """A sample of the queue. ``id`` is its row."""

    id: int
    sample_id: str
    extension: str
    edge: str
    received_at: datetime
    predicted: int
    scores: dict[str, float | None]
    probabilities: tuple[float, ...] | None = None


_COLUMNS = (Sample.id, Sample.sample_id, Sample.extension, Sample.edge, Sample.received_at, Sample.predicted)


def waiting(job_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a sample waits for people; those held out never do."""
    return (
        Sample.job_id == job_id,
        state_is(LabelState.WAITING),
        # Distinct and not unequal: a sample without a part has NULL there, which is unequal to nothing.
        Sample.part.is_distinct_from("holdout"),
        Sample.excluded.is_(False),
        Sample.problem.is_(None),
    )


def head(
    session: Session,
    job_id: int,
    order: str,
    limit: int,
    viewer: Viewer | None = None,
    *,
    audit: bool | None = None,
    skipped: bool = False,
    of_class: int | None = None,
) -> list[QueueRow]:
    """The first ``limit`` samples.

    Args:
        order: one of `RANKED`, "oldest", or "newest".
        viewer: for whom; None = everything that waits.
        audit: only those that were kept as audit, in an order that has nothing to do with what the models said of
            them, those of the newest model first; False = only the others; None = all.
        skipped: those that the viewer has skipped, instead.
        of_class: only those of this predicted class.
    """
    query = select(*_COLUMNS, *RANKED.values()).where(*waiting(job_id))
    if viewer is not None:
        query = query.where(viewer.condition(skipped=skipped))
        if skipped:  # by the few claims that say so, whatever else waits
            query = query.where(Sample.id.in_(_skipped_by(job_id, viewer.person)))
    if audit is not None:
        query = query.where(_IS_AUDIT if audit else ~_IS_AUDIT)
    if of_class is not None:
        query = query.where(Sample.predicted == of_class)
    found = session.execute(_ordered(query, "audit" if audit else order).limit(limit))
    names = list(RANKED)
    return [
        QueueRow(
            **dict(zip((column.key for column in _COLUMNS), row[: len(_COLUMNS)], strict=True))
            | {"predicted": -1 if row.predicted is None else row.predicted},
            scores={name: score_of(rank) for name, rank in zip(names, row[len(_COLUMNS) :], strict=True)},
        )
        for row in found
    ]


def still_offered(session: Session, job_id: int, rows: Sequence[int], viewer: Viewer) -> list[int]:
    """Those of a few rows that a viewer may still have, skipped or not, in their order."""
    may = or_(viewer.condition(skipped=False), viewer.condition(skipped=True))
    found = set(session.scalars(select(Sample.id).where(*waiting(job_id), Sample.id.in_(rows), may)))
    return [row for row in rows if row in found]


def _skipped_by(job_id: int, person: str) -> Select[int]:
    return select(LabelClaim.sample_pk).where(
        LabelClaim.job_id == job_id, LabelClaim.person == person, LabelClaim.skipped_at.is_not(None)
    )


def _ordered(query: Select[*tuple[Any, ...]], order: str) -> Select[*tuple[Any, ...]]:
    if order == "audit":
        return query.order_by(Sample.model_version.desc(), Sample.sample_id.desc())
    if order in RANKED:
        return query.order_by(RANKED[order], Sample.id)
    return query.order_by(Sample.id.desc() if order == "newest" else Sample.id)


def with_probabilities(session: Session, rows: Sequence[QueueRow]) -> list[QueueRow]:
    """The same rows with the probabilities that were recorded with them."""
    known: dict[int, tuple[float, ...] | None] = {}
    for start in range(0, len(rows), _BATCH):
        query = select(Sample.id, _PROBABILITIES).where(Sample.id.in_([row.id for row in rows[start : start + _BATCH]]))
        known.update({row: tuple(values) if values else None for row, values in session.execute(query)})
    return [row.model_copy(update={"probabilities": known.get(row.id)}) for row in rows]


def labelled_probabilities(session: Session, job_id: int, limit: int) -> list[tuple[float, ...]]:
    """The recorded probabilities of the samples that were labelled last."""
    query = (
        select(_PROBABILITIES)
        .join(Label, Label.sample_pk == Sample.id)
        .where(Label.job_id == job_id, Label.seq == Sample.label_seq, Sample.excluded.is_(False))
        .order_by(Label.seq.desc())
        .limit(limit)
    )
    return [tuple(values) for values in session.scalars(query) if values]


def classes(session: Session, job_id: int) -> list[int]:
    """The classes that were predicted for what waits; -1 = none. One look into an index for each."""
    found: list[int] = []
    query = select(func.min(Sample.predicted)).where(Sample.job_id == job_id, state_is(LabelState.WAITING))
    while True:
        after = query.where(Sample.predicted > found[-1]) if found else query
        label = session.scalar(after)
        if label is None:
            return found
        found.append(label)


def rarest_first(session: Session, job_id: int) -> list[int]:
    """The classes that were predicted for what waits, those first that have the fewest labels; no class comes last."""
    known: Counter[int] = Counter()
    for annotation in sample_labels.newest_labels(session, job_id, _LOOKED_AT):
        known.update(annotation.classes)
    return sorted(classes(session, job_id), key=lambda label: (label < 0, known[label], label))


def overdue(session: Session, job_id: int, panel: Panel, limit: int) -> list[str]:
    """Samples that have all their answers and wait all the same: the job asked for more when they were given."""
    query = select(Sample.sample_id).where(
        *waiting(job_id), Sample.answers > literal_column("0"), panel.answered_in_sql()
    )
    return list(session.scalars(query.limit(limit)))


def task(session: Session, job_id: int, sample_id: str) -> Task:
    """A sample as somebody who labels it needs it. Raises `NotFoundError`."""
    row = find_row(session, job_id, sample_id)
    if row is None:
        raise NotFoundError("the job has no such sample", where=sample_id)
    return _task(row)


def task_of_row(session: Session, sample_pk: int) -> Task:
    """`task`, by the sample's row."""
    return _task(session.get_one(Sample, sample_pk))


def _task(row: Sample) -> Task:
    record = SampleRecord.model_validate(row.record)
    return Task(
        id=row.id,
        sample_id=row.sample_id,
        extension=row.extension,
        width=record.width,
        height=record.height,
        picked=record.picked,
        prediction=record.prediction,
        model_version=record.model_version,
        part=row.part,
        excluded=row.excluded,
        label_seq=row.label_seq,
        label_state=state_of(row),
        answers=row.answers,
    )
