"""Geometry of many boxes at once, in numpy."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["iou_matrix"]

_Real = TypeVar("_Real", bound=np.floating)


def iou_matrix(a_N4: npt.NDArray[_Real], b_M4: npt.NDArray[_Real]) -> npt.NDArray[_Real]:
    """Intersection over union of every pair, (N, M), as exact as the corners are; 0 where a box has no area.

    Args:
        a_N4: x1, y1, x2, y2; further columns are not looked at.
        b_M4: the same, of the same type.
    """
    top_left = np.maximum(a_N4[:, None, :2], b_M4[None, :, :2])
    bottom_right = np.minimum(a_N4[:, None, 2:4], b_M4[None, :, 2:4])
    sides = np.clip(bottom_right - top_left, 0, None)
    overlap = sides[..., 0] * sides[..., 1]  # numpy's prod over an axis of two takes ten times as long
    union = _areas(a_N4)[:, None] + _areas(b_M4)[None, :] - overlap
    return np.asarray(np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0))


def _areas(boxes_N4: npt.NDArray[_Real]) -> npt.NDArray[_Real]:
    sides = np.clip(boxes_N4[:, 2:4] - boxes_N4[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1])
