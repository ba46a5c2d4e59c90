"""Margin: ``1 - (p_(1) - p_(2))`` of the two most likely classes. Source: T. Scheffer et al., 2001."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.checks import Floats, probabilities


def margin(p_NC: npt.ArrayLike) -> Floats:
    """Scores ``(N,)`` in 0..1: 1 where the two are equally likely.

    Raises:
        DataError: not probabilities.
    """
    ordered = np.sort(probabilities(p_NC), axis=1)
    return np.asarray(1 - (ordered[:, -1] - ordered[:, -2]))
