"""Which samples a person should label next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from globalmanager.db import Database, jobs, queue
from globalmanager.db.database import Session
from globalmanager.db.queue import QueueRow, Viewer
from sedna.algorithms.active_learning import k_center
from sedna.common.types import JobKey, Value

__all__ = ["Order", "QueuedSample", "labelling_queue", "ordered"]

SPREAD = 1000
"""Samples among which k-center chooses, the newest, and labelled ones from which it keeps away. No list is longer."""

_SPREAD_OF_A_CLAIM = 300
"""The same where a person waits for three samples."""


class Order(StrEnum):
    """What comes first."""

    OLDEST = "oldest"
    LEAST_CONFIDENCE = "least_confidence"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DISAGREEMENT = "disagreement"
    NEW_CLASSES = "new_classes"
    K_CENTER = "k_center"


class QueuedSample(Value):
    """A sample to label, and why it stands where it does."""

    sample_id: str
    extension: str
    edge: str
    received_at: datetime
    predicted: int = Field(description="class, -1: none")
    score: float | None = Field(description="of uncertainty, larger is worth more; null: the record does not say")


def labelling_queue(
    db: Database, key: JobKey, order: Order, limit: int, *, balanced: bool = False
) -> tuple[QueuedSample, ...]:
    """The next ``limit`` samples to label, whoever labels them.

    The scores are those of the prediction that the edge recorded. Samples of which the record says nothing come last,
    in the order in which they arrived.

    Args:
        order: by a score of uncertainty; ``disagreement`` of people, or of models; ``new_classes``: the predicted
            classes that have the fewest labels; ``k_center``: each as far as possible, by predicted probabilities, from
            what is labelled and from those before it, among the newest `SPREAD`; or ``oldest`` first.
        balanced: the predicted classes get equal shares, as far as there are samples of them.

    Raises:
        NotFoundError: there is no such job.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        rows = _balanced(session, job.id, order, limit) if balanced else ordered(session, job.id, order, limit)
    return tuple(
        QueuedSample(
            sample_id=row.sample_id,
            extension=row.extension,
            edge=row.edge,
            received_at=row.received_at,
            predicted=row.predicted,
            score=row.scores.get(order.value),
        )
        for row in rows
    )


def ordered(
    session: Session, job_id: int, order: Order, limit: int, viewer: Viewer | None = None, *, audit: bool | None = None
) -> list[QueueRow]:
    """The head of the queue, for a person or for everybody; ``audit``: see `queue.head`."""
    if order is Order.NEW_CLASSES:
        return _rare_classes(session, job_id, limit, viewer, audit=audit)
    if order is Order.K_CENTER:
        return _spread(session, job_id, limit, viewer, audit=audit)[:limit]
    return queue.head(session, job_id, order.value, limit, viewer, audit=audit)


def _rare_classes(
    session: Session, job_id: int, limit: int, viewer: Viewer | None, *, audit: bool | None
) -> list[QueueRow]:
    found: list[QueueRow] = []
    for label in queue.rarest_first(session, job_id):
        room = limit - len(found)
        if room <= 0:
            return found
        found += queue.head(session, job_id, Order.ENTROPY, room, viewer, audit=audit, of_class=label)
    return found


def _spread(session: Session, job_id: int, limit: int, viewer: Viewer | None, *, audit: bool | None) -> list[QueueRow]:
    """Those that were chosen, then those of which nothing is known."""
    among = SPREAD if viewer is None else _SPREAD_OF_A_CLAIM
    newest = queue.head(session, job_id, "newest", among, viewer, audit=audit)[::-1]
    pool = queue.with_probabilities(session, newest)
    places = _by_distance(pool, queue.labelled_probabilities(session, job_id, among), limit)
    chosen = set(places)
    return [pool[place] for place in places] + [row for place, row in enumerate(pool) if place not in chosen]


def _by_distance(pool: Sequence[QueueRow], labelled: Sequence[Sequence[float]], budget: int) -> list[int]:
    """Places in the order of choice, without those that have no probabilities of the length that most have."""
    # Models with another number of classes are in the pool after a change of classNames: their probabilities cannot be
    # compared with the others'.
    lengths = Counter(len(row.probabilities) for row in pool if row.probabilities)
    usual = max(lengths, key=lambda length: lengths[length], default=0)
    fitting = [place for place, row in enumerate(pool) if len(row.probabilities or ()) == usual > 0]
    if not fitting:
        return []
    seen = [row for row in labelled if len(row) == usual]
    picked = k_center([pool[place].probabilities or () for place in fitting], budget, seen or None)
    return [fitting[place] for place in picked.tolist()]


def _balanced(session: Session, job_id: int, order: Order, limit: int) -> list[QueueRow]:
    """The equal shares first, then the rest by rank: a class with few samples leaves room that is not wasted."""
    classes = queue.classes(session, job_id)
    if not classes:
        return ordered(session, job_id, order, limit)
    share = max(1, limit // len(classes))
    if order in (Order.K_CENTER, Order.NEW_CLASSES):
        ranked = ordered(session, job_id, order, SPREAD)
        taken: Counter[int] = Counter()
        equal = set()
        for row in ranked:
            taken[row.predicted] += 1
            if taken[row.predicted] <= share:
                equal.add(row.id)
    else:
        heads = [queue.head(session, job_id, order.value, share, of_class=label) for label in classes]
        equal = {row.id for rows in heads for row in rows}
        ranked = ordered(session, job_id, order, limit)
        known = {row.id for row in ranked}
        ranked += [row for rows in heads for row in rows if row.id not in known]
        ranked = _ranked(ranked, order)
    return sorted(ranked, key=lambda row: row.id not in equal)[:limit]


def _ranked(rows: Sequence[QueueRow], order: Order) -> list[QueueRow]:
    if order is Order.OLDEST:
        return sorted(rows, key=lambda row: row.id)

    def rank(row: QueueRow) -> tuple[float, int]:
        score = row.scores[order.value]
        return (1.0 if score is None else -score, row.id)

    return sorted(rows, key=rank)
