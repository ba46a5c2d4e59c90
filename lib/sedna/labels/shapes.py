"""The box around a shape that is none: turned boxes, outlines, ellipses."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["Corners", "around", "turned_about"]

Corners = tuple[float, float, float, float]
"""x1, y1, x2, y2."""


def around(points: Iterable[tuple[float, float]]) -> Corners:
    """The smallest upright box that holds all points, of which there is at least one."""
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned_about(corners: Corners, degrees: float, pivot: tuple[float, float]) -> Corners:
    """The box around a box that is turned clockwise, as it is seen with y downwards, about a point."""
    if degrees % 360 == 0:
        return corners
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    x1, y1, x2, y2 = corners
    moved = [(x - pivot[0], y - pivot[1]) for x, y in ((x1, y1), (x2, y1), (x2, y2), (x1, y2))]
    return around((pivot[0] + x * cos - y * sin, pivot[1] + x * sin + y * cos) for x, y in moved)
