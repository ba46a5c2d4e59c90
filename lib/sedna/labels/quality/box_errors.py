"""Boxes that look wrong: forgotten ones, badly placed ones, those of the wrong class.

Source: U. Tkachenko, A. Thyagarajan, J. Mueller, "ObjectLab: automated diagnosis of mislabeled images in object
detection data", 2023; formulas as cleanlab 2.9 has them. Two things differ in how they are asked for: the smallest
similarity is of a whole job (`least_similarity`), for otherwise a score would change with what is scored beside it; and
lengths are brought to one picture size (`scaled_boxes`), for the distance counts in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sedna.common.boxes import iou_matrix
from sedna.common.types import Box
from sedna.labels.quality.boxes import corners

__all__ = ["LONGER_SIDE", "LabelQuality", "box_label_quality", "least_similarity", "scaled_boxes"]

LONGER_SIDE = 640
"""Pixels of the pictures for which the constants below were chosen."""

LIKELY = 0.5
SURE = 0.95
"""Scores from which on a prediction counts. Detectors seldom say .95: take it from how the model is calibrated."""

_IOU_SHARE = 0.9
_PER_PIXEL = 0.1
_TEMPERATURE = 0.1

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LabelQuality:
    """How right the boxes of a picture look, each figure from 0 (surely wrong) to 1.

    Attributes:
        overlooked: predictions of which the model is sure, where nobody has drawn anything.
        badly_placed: labels beside what the model sees.
        swapped: labels where the model surely sees another class.
        score: the geometric mean of the three.
    """

    overlooked: float
    badly_placed: float
    swapped: float
    score: float


def scaled_boxes(boxes: Sequence[Box], width: int, height: int) -> tuple[Box, ...]:
    """The boxes as in a picture whose longer side has `LONGER_SIDE` pixels."""
    factor = LONGER_SIDE / max(width, height)
    return tuple(
        box.model_copy(
            update={"x1": box.x1 * factor, "y1": box.y1 * factor, "x2": box.x2 * factor, "y2": box.y2 * factor}
        )
        for box in boxes
    )


def least_similarity(pictures: Iterable[tuple[Sequence[Box], Sequence[Box]]]) -> float:
    """The smallest similarity above 0 of any label to any prediction; 1 where there is none. Kept with a job.

    Args:
        pictures: labels and predictions of each.
    """
    least = 1.0
    for labels, predictions in pictures:
        found = _similarity(corners(labels), corners(predictions))
        least = min(least, float(found[found > 0].min(initial=1.0)))
    return least


def box_label_quality(
    labels: Sequence[Box], predictions: Sequence[Box], *, least: float, sure: float = SURE, likely: float = LIKELY
) -> LabelQuality:
    """Judge the labels of one picture by predictions of a model that has not trained on it.

    Args:
        predictions: each with its score; without one it is sure.
        least: `least_similarity` of the job.
    """
    mine, theirs = corners(labels), corners(predictions)
    picture = _Picture(
        similarity_LP=_similarity(mine, theirs),
        overlap_LP=iou_matrix(mine, theirs),
        label_L=np.array([box.label for box in labels], dtype=np.int64),
        class_P=np.array([box.label for box in predictions], dtype=np.int64),
        score_P=np.array([1.0 if box.score is None else box.score for box in predictions], dtype=np.float64),
    )
    found = (
        _pooled(_overlooked(picture, least, sure)),
        _pooled(_badly_placed(picture, likely)),
        _pooled(_swapped(picture, least, sure)),
    )
    return LabelQuality(*found, score=float(np.prod(found)) ** (1 / 3))


@dataclass(frozen=True)
class _Picture:
    """L labels and P predictions."""

    similarity_LP: _Floats
    overlap_LP: _Floats
    label_L: npt.NDArray[np.int64]
    class_P: npt.NDArray[np.int64]
    score_P: _Floats


def _similarity(labels_L4: _Floats, predictions_P4: _Floats) -> _Floats:
    centres_L2 = (labels_L4[:, :2] + labels_L4[:, 2:]) / 2
    centres_P2 = (predictions_P4[:, :2] + predictions_P4[:, 2:]) / 2
    distance_LP = np.linalg.norm(centres_L2[:, None] - centres_P2[None], axis=2)
    near_LP = np.exp(-_PER_PIXEL * distance_LP)
    return np.asarray(_IOU_SHARE * iou_matrix(labels_L4, predictions_P4) + (1 - _IOU_SHARE) * near_LP)


def _overlooked(picture: _Picture, least: float, sure: float) -> list[float]:
    found = []
    for number, label in enumerate(picture.class_P):
        if picture.score_P[number] < sure or (picture.overlap_LP[:, number] > 0).any():
            continue
        same = picture.similarity_LP[picture.label_L == label, number]
        found.append(float(same.max()) if len(same) else least * (1 - float(picture.score_P[number])))
    return found


def _badly_placed(picture: _Picture, likely: float) -> list[float]:
    found = []
    for number, label in enumerate(picture.label_L):
        near = (picture.class_P == label) & (picture.score_P > likely) & (picture.overlap_LP[number] > 0)
        found.append(float(picture.similarity_LP[number, near].max()) if near.any() else 1.0)
    return found


def _swapped(picture: _Picture, least: float, sure: float) -> list[float]:
    found = []
    for number, label in enumerate(picture.label_L):
        other = (picture.class_P != label) & (picture.score_P > sure)
        nearest = float(picture.similarity_LP[number, other].max()) if other.any() else 0.0
        found.append(max(least, 1 - nearest) if other.any() else 1.0)
    return found


def _pooled(scores: Sequence[float]) -> float:
    """A mean in which the lowest count most; 1 of none."""
    if not scores:
        return 1.0
    values = np.asarray(scores)
    weights = np.exp(-(values - values.min()) / _TEMPERATURE)
    return float((values * weights).sum() / weights.sum())
