"""Least confidence: ``1 - max_c p_c``. Source: D. Lewis and W. Gale, 1994."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.checks import Floats, probabilities


def least_confidence(p_NC: npt.ArrayLike) -> Floats:
    """Scores ``(N,)`` in 0..1 - 1/C.

    Raises:
        DataError: not probabilities.
    """
    return np.asarray(1 - probabilities(p_NC).max(1))
