"""What a model must do to be served, and how answers of many shapes become a `Prediction`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from sedna.common.errors import ModelError, SednaError
from sedna.common.types import MAX_LABEL, Box, Prediction
from sedna.edge.image import Pixels

__all__ = ["ModelRuntime", "classification", "detection", "foreign_errors", "prediction_of"]

_ROUNDING = 1e-6
"""How far outside [0, 1] a score may lie and still count as 0 or 1: rounding of 32-bit floats."""

_SUM_TOLERANCE = 1e-2
"""How far from 1 probabilities may sum up: half-precision and quantised models are this coarse."""

_ROW = 6  # x1, y1, x2, y2, score, label


_BOX_HINT = "[x1, y1, x2, y2, score, label], in pixels of the picture"
_ANSWER_HINT = (
    "a list of class probabilities, or a list of boxes [x1, y1, x2, y2, score, label], empty if there are none"
)


class ModelRuntime(Protocol):
    """An opened model. `predict` may be called from several threads; `close` when no call runs."""

    def predict(self, images: Sequence[Pixels]) -> list[Prediction]:
        """One prediction per image (RGB, uint8, (H, W, 3)); boxes in pixels of that image.

        Raises:
            ModelError: the model failed, or answered with something that is no prediction.
        """
        ...

    def close(self) -> None:
        """Give back memory and threads."""
        ...


def detection(rows: Sequence[Sequence[float]]) -> Prediction:
    """Rows ``[x1, y1, x2, y2, score, label]`` as a prediction.

    Boxes without area are left out: rounding to a picture's edge makes them, and they say nothing.

    Raises:
        ModelError: a row is too short, a value is not finite, or a score lies outside [0, 1].
    """
    boxes = []
    for row in rows:
        if len(row) < _ROW:
            raise ModelError(f"a box has {len(row)} values", hint=_BOX_HINT)
        x1, y1, x2, y2, score, label = (float(value) for value in row[:_ROW])
        if not all(math.isfinite(value) for value in (x1, y1, x2, y2, score, label)) or not 0 <= label <= MAX_LABEL:
            raise ModelError(f"a box has values that are not finite or no label: {list(row)}", hint=_BOX_HINT)
        if x2 > x1 and y2 > y1:
            boxes.append(Box(x1=x1, y1=y1, x2=x2, y2=y2, label=int(label), score=_unit(score)))
    return Prediction(boxes=tuple(boxes))


def classification(probabilities: Sequence[float]) -> Prediction:
    """Class probabilities as a prediction; the label is the likeliest class.

    Raises:
        ModelError: none, not finite, outside [0, 1], or not summing up to 1.
    """
    values = tuple(_unit(float(value)) for value in probabilities)
    if not values or abs(sum(values) - 1.0) > _SUM_TOLERANCE:
        hint = "one probability a class, which sum up to 1; scores of a network need a softmax"
        raise ModelError(f"probabilities sum up to {sum(values):.4g}", hint=hint)
    return Prediction(probabilities=values, label=max(range(len(values)), key=values.__getitem__))


def prediction_of(answer: Any) -> Prediction:
    """The answer of an upstream-style estimator for one image: boxes, probabilities, or a `Prediction`.

    Raises:
        ModelError: it is none of these.
    """
    if isinstance(answer, Prediction):
        return answer
    if hasattr(answer, "tolist"):
        answer = answer.tolist()
    if not isinstance(answer, list | tuple):
        raise ModelError(f"answered with a {type(answer).__name__} for a picture", hint=_ANSWER_HINT)
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in answer]
    if all(isinstance(row, list | tuple) for row in rows):
        return detection(rows)
    if all(isinstance(row, int | float) for row in rows):
        return classification(rows)
    raise ModelError("answered with a mixture for a picture", hint=_ANSWER_HINT)


@contextlib.contextmanager
def foreign_errors(what: str, hint: str = "") -> Iterator[None]:
    """Boundary to code that is not ours (a user's estimator, an inference engine): its errors become `ModelError`.

    Args:
        hint: what that code has to keep to.
    """
    try:
        yield
    except SednaError:
        raise
    except Exception as error:
        raise ModelError(f"{what}: {type(error).__name__}: {error}", hint=hint) from error


def _unit(value: float) -> float:
    if not -_ROUNDING <= value <= 1 + _ROUNDING:  # also catches NaN
        raise ModelError(f"a score is {value}", hint="scores lie in [0, 1]; those of a network need a softmax")
    return min(max(value, 0.0), 1.0)
