"""Crops, flips and quarter turns of a picture with its boxes. All randomness comes from the caller's generator."""

from __future__ import annotations

import numpy as np

from sedna.algorithms.detection.annotations import Boxes
from sedna.algorithms.detection.preprocess import pad
from sedna.algorithms.training.samples import Pixels

_MIN_VISIBLE = 0.5
"""A box stays in a crop when at least this share of its area is inside."""


def crop_at(
    pixels_HWC: Pixels, boxes_M5: Boxes, side: int, center: tuple[float, float], rng: np.random.Generator
) -> tuple[Pixels, Boxes]:
    """A square crop that shows ``center`` somewhere in its middle three fifths; padded where the picture is smaller."""
    height, width = pixels_HWC.shape[:2]
    left = _corner(center[0], side, width, rng)
    top = _corner(center[1], side, height, rng)
    pixels = pad(pixels_HWC[top : top + side, left : left + side], side, side)
    boxes = boxes_M5 - np.asarray([left, top, left, top, 0], dtype=np.float32)
    whole = _areas(boxes)
    # Areas of the whole boxes are taken before: they decide below which of the cut ones are still worth showing.
    boxes[:, :4] = boxes[:, :4].clip(0, side)
    return pixels, boxes[_areas(boxes) >= _MIN_VISIBLE * whole]


def dihedral(pixels_SSC: Pixels, boxes_M5: Boxes, turn: int) -> tuple[Pixels, Boxes]:
    """One of the 8 symmetries of a square: bit 0 mirrors x, bit 1 mirrors y, bit 2 transposes."""
    side = pixels_SSC.shape[0]
    pixels, boxes = pixels_SSC, boxes_M5.copy()
    if turn & 1:
        pixels = pixels[:, ::-1]
        boxes[:, [0, 2]] = side - boxes[:, [2, 0]]
    if turn & 2:
        pixels = pixels[::-1]
        boxes[:, [1, 3]] = side - boxes[:, [3, 1]]
    if turn & 4:
        pixels = pixels.transpose(1, 0, 2)
        boxes = boxes[:, [1, 0, 3, 2, 4]]
    return np.ascontiguousarray(pixels), boxes


def _corner(center: float, side: int, length: int, rng: np.random.Generator) -> int:
    start = center - rng.uniform(0.2, 0.8) * side
    return int(np.clip(start, 0, max(length - side, 0)))


def _areas(boxes_M5: Boxes) -> Boxes:
    return np.asarray((boxes_M5[:, 2] - boxes_M5[:, 0]) * (boxes_M5[:, 3] - boxes_M5[:, 1]), dtype=np.float32)
