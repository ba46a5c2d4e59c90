"""From scores to a choice."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.checks import Floats
from sedna.algorithms.active_learning.entropy import entropy
from sedna.algorithms.active_learning.least_confidence import least_confidence
from sedna.algorithms.active_learning.margin import margin
from sedna.common.errors import DataError

Indices = npt.NDArray[np.int64]

SCORES: dict[str, Callable[[npt.ArrayLike], Floats]] = {
    "least_confidence": least_confidence,
    "margin": margin,
    "entropy": entropy,
}
"""Scores of one model's probabilities by name."""


def select(scores_N: npt.ArrayLike, budget: int) -> Indices:
    """Positions of the ``min(budget, N)`` highest scores, best first; equal ones in their order.

    Raises:
        DataError: a score is not a number.
    """
    scores = np.asarray(scores_N, dtype=np.float64)
    if scores.ndim != 1 or np.isnan(scores).any():
        raise DataError(f"scores {scores.shape}", where="scores", hint="numbers (N,)")
    return np.argsort(-scores, kind="stable")[: max(0, budget)].astype(np.int64)


def select_per_class(scores_N: npt.ArrayLike, labels_N: npt.ArrayLike, per_class: int) -> Indices:
    """The best ``per_class`` of every class, class by class. A class with fewer samples gives what it has.

    Raises:
        DataError: a score is not a number, or there is not one label a score.
    """
    scores, labels = np.asarray(scores_N, dtype=np.float64), np.asarray(labels_N)
    if scores.shape != labels.shape:
        raise DataError(f"{scores.shape} scores and {labels.shape} labels", where="labels", hint="one label a score")
    groups = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    picks = [members[select(scores[members], per_class)] for members in groups]
    return np.concatenate(picks).astype(np.int64) if picks else np.empty(0, dtype=np.int64)
