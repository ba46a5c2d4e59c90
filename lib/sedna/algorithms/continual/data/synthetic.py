"""Coloured shapes: a data set for tests and for trying a configuration without any download."""

from __future__ import annotations

import numpy as np

from sedna.algorithms.continual.data.images import ImageSet, Pixels

CLASS_NAMES = ("disc", "square", "cross", "ring", "stripes", "triangle")


def make_shapes(size: int, per_class: int, *, seed: int) -> ImageSet:
    """``6 * per_class`` pictures ``size`` x ``size``, classes interleaved; place, colour and noise vary."""
    rng = np.random.default_rng((seed, 815))
    pictures = [_draw(label, size, rng) for _ in range(per_class) for label in range(len(CLASS_NAMES))]
    labels = np.tile(np.arange(len(CLASS_NAMES), dtype=np.int64), per_class)
    return ImageSet(np.stack(pictures), labels, CLASS_NAMES, "shapes")


def _draw(label: int, size: int, rng: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0:size, 0:size]
    radius = size * rng.uniform(0.22, 0.32)
    cy, cx = rng.uniform(0.38, 0.62, 2) * size
    dy, dx = y - cy, x - cx
    distance = np.hypot(dy, dx)
    masks = (
        distance < radius,
        np.maximum(abs(dy), abs(dx)) < radius * 0.85,
        (np.minimum(abs(dy), abs(dx)) < radius / 3) & (np.maximum(abs(dy), abs(dx)) < radius * 1.1),
        abs(distance - radius) < radius / 3.5,
        ((x + y) // max(2, size // 8)) % 2 == 0,
        (dy < radius * 0.8) & (abs(dx) < (dy + radius) * 0.6),
    )
    front, back = rng.uniform(140, 255, 3), rng.uniform(0, 110, 3)
    picture = np.where(masks[label][None], front[:, None, None], back[:, None, None])
    picture = picture + rng.normal(0, 12, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)
