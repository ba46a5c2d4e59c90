"""Scores of predictions as an edge recorded them: class probabilities, or boxes with scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sedna.algorithms.active_learning.uncertainty import Floats
from sedna.common.errors import DataError
from sedna.common.types import Prediction


def recorded_score(prediction: Prediction, score: Callable[[npt.ArrayLike], Floats]) -> float | None:
    """How much a label would be worth; None where the record says nothing about it.

    A whole-image prediction is scored by its probabilities. A box with score s is a prediction with probabilities
    (s, 1 - s), and an image is worth as much as its most uncertain box. Source of the latter: C.-A. Brust et al.,
    Active Learning for Deep Object Detection, VISAPP 2019 (aggregation by maximum).

    Args:
        score: one of `SCORES`.
    """
    boxes = [box.score for box in prediction.boxes if box.score is not None]
    rows = [prediction.probabilities] if prediction.probabilities else [(value, 1 - value) for value in boxes]
    if not rows:
        return None
    try:
        return float(score(rows).max())
    except DataError:  # an edge may record anything; such a sample is still there to be labelled
        return None


def recorded_class(prediction: Prediction) -> int:
    """The class that was predicted, of the surest box if there are several; -1 for none."""
    if prediction.label is not None:
        return prediction.label
    if prediction.probabilities:
        return int(np.argmax(prediction.probabilities))
    best = max(prediction.boxes, key=lambda box: box.score or 0.0, default=None)
    return -1 if best is None else best.label
