"""Where a sample stands in the queue, stored when it arrives: the head of a long queue is then a look into an index."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning import SCORES, recorded_class, recorded_score
from sedna.common.types import MAX_LABEL, Prediction

UNKNOWN = 1.0
"""The rank of a sample of which nothing is known: after all that have a score, whose ranks are 0 or less."""

_COLUMNS = {"entropy": "rank_entropy", "margin": "rank_margin", "least_confidence": "rank_confidence"}


def ranks_of(prediction: Prediction) -> dict[str, float | int]:
    """The columns that follow from a prediction."""
    ranks: dict[str, float | int] = {column: _rank(prediction, SCORES[score]) for score, column in _COLUMNS.items()}
    label = recorded_class(prediction)
    # An edge may record any number; one that is no class is none.
    return ranks | {"predicted": label if 0 <= label <= MAX_LABEL else -1}


def _rank(prediction: Prediction, score: Callable[[npt.ArrayLike], npt.NDArray[np.float64]]) -> float:
    value = recorded_score(prediction, score)
    return UNKNOWN if value is None or not math.isfinite(value) else -max(value, 0.0)


def score_of(rank: float) -> float | None:
    """The score that a rank was made of; None = nothing is known."""
    return None if rank > 0 else abs(rank)


def disagreement_of(classes: Sequence[int]) -> float:
    """The rank of a sample of which people or models said these classes: minus the entropy of their votes."""
    if len(classes) < 2:
        return UNKNOWN
    shares = np.unique(np.asarray(classes), return_counts=True)[1] / len(classes)
    return -float(abs((shares * np.log(shares)).sum()))
