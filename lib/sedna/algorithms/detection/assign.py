"""Which location learns which box: FCOS assignment with centre sampling (arXiv:1904.01355, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from sedna.algorithms.detection.network import STRIDES

CENTER_RADIUS = 1.5
"""Locations within this many strides of a box's centre, and inside the box, are positive."""

_LIMITS = (0.0, 64.0, 128.0, float("inf"))
"""Level i is responsible when the largest side distance lies in (_LIMITS[i], _LIMITS[i + 1]], in pixels."""


def assign(points_N2: Tensor, strides_N: Tensor, boxes_M5: Tensor) -> Tensor:
    """The index of the box each location learns, or -1 for background.

    Args:
        points_N2: location centres, pixels.
        strides_N: stride of each location's level, pixels.
        boxes_M5: x1, y1, x2, y2, label in pixels of the same picture; M may be 0.

    Returns:
        int64 index_N. Where boxes overlap the smaller one wins, because the larger has other locations left. A box so
        small that no location falls inside claims the location of the first level nearest to its centre.
    """
    index_N = torch.full((len(points_N2),), -1, dtype=torch.int64)
    # Below, the minimum over no boxes would have no value.
    if len(boxes_M5) == 0:
        return index_N
    corners_M4 = boxes_M5[:, :4]
    sides_NM4 = torch.cat(
        [points_N2[:, None] - corners_M4[None, :, :2], corners_M4[None, :, 2:] - points_N2[:, None]], -1
    )
    centers_M2 = (corners_M4[:, :2] + corners_M4[:, 2:]) / 2
    offsets_NM = (points_N2[:, None] - centers_M2[None]).abs().amax(-1)
    reach_NM = sides_NM4.amax(-1)
    lower_N, upper_N = _level_limits(strides_N)
    positive_NM = (
        (sides_NM4.amin(-1) > 0)
        & (offsets_NM <= CENTER_RADIUS * strides_N[:, None])
        & (reach_NM > lower_N[:, None])
        & (reach_NM <= upper_N[:, None])
    )
    areas_M = (corners_M4[:, 2] - corners_M4[:, 0]) * (corners_M4[:, 3] - corners_M4[:, 1])
    costs_NM = torch.where(positive_NM, areas_M[None], torch.inf)
    smallest_N, owner_N = costs_NM.min(1)
    index_N = torch.where(torch.isfinite(smallest_N), owner_N, index_N)
    # The finest level has the densest centres: one of them is near every box, however small it is.
    first_level = int((strides_N == STRIDES[0]).sum())
    for box in torch.nonzero(~positive_NM.any(0)).flatten().tolist():
        index_N[int(offsets_NM[:first_level, box].argmin())] = box
    return index_N


def _level_limits(strides_N: Tensor) -> tuple[Tensor, Tensor]:
    level_N = torch.bucketize(strides_N, torch.tensor(STRIDES, dtype=strides_N.dtype))
    limits = torch.tensor(_LIMITS)
    return limits[level_N], limits[level_N + 1]
