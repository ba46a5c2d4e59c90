"""Which samples a person should label next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from globalmanager.db import Database, jobs, pool
from globalmanager.db.pool import PooledSample
from sedna.algorithms.active_learning import (
    SCORES,
    k_center,
    recorded_class,
    recorded_score,
    select,
    select_per_class,
)
from sedna.common.types import JobKey, Value

POOL = 5000
"""Samples that are ranked, the newest: older ones were judged by older models, and a person waits for the answer."""


class Order(StrEnum):
    """What comes first."""

    OLDEST = "oldest"
    LEAST_CONFIDENCE = "least_confidence"
    MARGIN = "margin"
    ENTROPY = "entropy"
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
    """The next ``limit`` samples to label, out of the newest `POOL` without a label.

    The scores are those of the prediction that the edge recorded. Samples of which the record says nothing come last,
    in the order in which they arrived.

    Args:
        order: by a score of uncertainty; ``k_center``: each as far as possible, by predicted probabilities, from what
            is labelled and from those before it; or ``oldest`` first.
        balanced: the predicted classes get equal shares, as far as there are samples of them.

    Raises:
        NotFoundError: there is no such job.
    """
    with db.read() as session:
        job = jobs.get(session, key)
        waiting = pool.newest(session, job.id, POOL)
        labelled = pool.newest(session, job.id, POOL, labelled=True) if order is Order.K_CENTER else []
    if order is Order.OLDEST:
        ranks: list[float | None] = [float(-position) for position in range(len(waiting))]
    elif order is Order.K_CENTER:
        ranks = _by_distance(waiting, labelled, len(waiting) if balanced else limit)
    else:
        ranks = [recorded_score(sample.prediction, SCORES[order.value]) for sample in waiting]
    classes = [recorded_class(sample.prediction) for sample in waiting]
    known = [(position, rank) for position, rank in enumerate(ranks) if rank is not None]
    best = _best([rank for _, rank in known], [classes[position] for position, _ in known], limit, balanced=balanced)
    chosen = [known[place][0] for place in best] + [position for position, rank in enumerate(ranks) if rank is None]
    # Positions in time and in the order of choice are no uncertainty: only scores are shown.
    scored = order.value in SCORES
    return tuple(
        QueuedSample(
            **waiting[position].model_dump(exclude={"prediction"}),
            predicted=classes[position],
            score=ranks[position] if scored else None,
        )
        for position in chosen[:limit]
    )


def _best(values: Sequence[float], classes: Sequence[int], limit: int, *, balanced: bool) -> list[int]:
    """Positions of the best, in their order."""
    ranked: list[int] = select(values, len(values)).tolist()
    if not balanced or not values:
        return ranked[:limit]
    # The equal shares first, then the rest by rank: a class with few samples leaves room that is not wasted.
    share = max(1, limit // len(set(classes)))
    equal = set(select_per_class(values, classes, share).tolist())
    return sorted(ranked, key=lambda position: position not in equal)[:limit]


def _by_distance(waiting: Sequence[PooledSample], labelled: Sequence[PooledSample], budget: int) -> list[float | None]:
    """Falling numbers in the order of choice; None for what was not chosen, or has no probabilities of the length
    that most samples have."""
    rows = {position: sample.prediction.probabilities or () for position, sample in enumerate(waiting)}
    # Models with another number of classes are in the pool after a change of classNames: their probabilities cannot be
    # compared with the others'.
    lengths = Counter(len(row) for row in rows.values() if row)
    usual = max(lengths, key=lambda length: lengths[length], default=0)
    fitting = [position for position, row in rows.items() if len(row) == usual > 0]
    ranks: list[float | None] = [None] * len(waiting)
    if fitting:
        seen = [row for sample in labelled if len(row := sample.prediction.probabilities or ()) == usual]
        picked = k_center([rows[position] for position in fitting], budget, seen or None)
        for rank, place in enumerate(picked.tolist()):
            ranks[fitting[place]] = float(-rank)
    return ranks
