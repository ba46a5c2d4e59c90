"""Entropy: ``- sum_c p_c ln p_c``. Source: C. Shannon, 1948; B. Settles, Active Learning Literature Survey, 2009."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.checks import Floats, probabilities


def entropy(p_NC: npt.ArrayLike) -> Floats:
    """Scores ``(N,)`` in 0..ln C.

    Raises:
        DataError: not probabilities.
    """
    return row_entropy(probabilities(p_NC))


def row_entropy(p: Floats) -> Floats:
    """Entropy over the last axis, with 0 ln 0 = 0."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(-1))
