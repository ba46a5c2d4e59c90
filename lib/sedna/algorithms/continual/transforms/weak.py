"""Weak augmentation: random crop out of a zero-padded picture, horizontal flip. On uint8, a whole batch at once."""

from __future__ import annotations

import numpy as np

from sedna.algorithms.continual.data.images import Pixels


def weak_views(x_BCHW: Pixels, rng: np.random.Generator, *, padding: int = 4, flip: bool = True) -> Pixels:
    """One weak view of every picture.

    Args:
        x_BCHW: uint8 pictures.
        padding: pixels of black added on each side before a window of the original size is cut out.
        flip: mirror with probability 0.5.

    Source: random crop and flip of the CIFAR pipelines; the padding is black before normalisation.
    """
    batch, _, height, width = x_BCHW.shape
    padded = np.pad(x_BCHW, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    corners_B2 = rng.integers(0, 2 * padding + 1, size=(batch, 2)).tolist()
    mirrored_B = rng.random(size=(batch,)) < (0.5 if flip else 0.0)
    out = np.empty_like(x_BCHW)
    # Slices copy whole rows: several times faster than fancy indexing.
    for index, (top, left) in enumerate(corners_B2):
        window = padded[index, :, top : top + height, left : left + width]
        out[index] = window[:, :, ::-1] if mirrored_B[index] else window
    return out
