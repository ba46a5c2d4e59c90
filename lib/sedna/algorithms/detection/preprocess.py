"""Pictures to the network's input, without torch: the trainer, the predictor and the edge share it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from sedna.algorithms.training.samples import Picture, Pixels
from sedna.common.errors import DataError
from sedna.common.pictures import of_image, read_pixels


class Letterboxed(NamedTuple):
    """``pixels_HWC`` fills the top left of the network's input; ``scale`` is network pixels per picture pixel."""

    pixels_HWC: Pixels
    scale: float
    size: tuple[int, int]
    """height and width of the original picture."""


def read_picture(picture: Picture) -> Pixels:
    """RGB uint8 (H, W, 3).

    Raises:
        NotFoundError, DataError, TooLargeError: see `sedna.common.pictures.read_picture`; or the array has another
            shape or type.
    """
    if isinstance(picture, np.ndarray):
        return _check_array(picture)
    if isinstance(picture, Image.Image):
        return of_image(picture)
    return read_pixels(picture)


def letterbox(pixels_HWC: Pixels, side: int) -> Letterboxed:
    """Shrink a picture so that its longer side is at most ``side``; never enlarge, never pad."""
    height, width = pixels_HWC.shape[:2]
    scale = min(1.0, side / max(height, width))
    if scale == 1.0:
        return Letterboxed(pixels_HWC, scale, (height, width))
    target = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = Image.fromarray(pixels_HWC).resize(target, Image.Resampling.BOX, reducing_gap=2.0)
    return Letterboxed(np.asarray(small), scale, (height, width))


def pad(pixels_HWC: Pixels, height: int, width: int) -> Pixels:
    """Black below and to the right, up to (height, width, 3)."""
    if pixels_HWC.shape[:2] == (height, width):
        return pixels_HWC
    padded = np.zeros((height, width, 3), dtype=np.uint8)
    padded[: pixels_HWC.shape[0], : pixels_HWC.shape[1]] = pixels_HWC
    return padded


def batch_pixels(boxed: list[Letterboxed], side: int) -> npt.NDArray[np.uint8]:
    """x_BHWC of squares with this side."""
    return np.stack([pad(one.pixels_HWC, side, side) for one in boxed])


def _check_array(array: npt.NDArray[np.uint8]) -> Pixels:
    if array.dtype == np.uint8 and array.size:
        if array.ndim == 2:
            return np.repeat(array[:, :, None], 3, axis=2)
        if array.ndim == 3 and array.shape[2] == 3:
            return array
    raise DataError(
        f"array of shape {array.shape} and type {array.dtype} is no picture", hint="uint8 of shape (H, W, 3) or (H, W)"
    )
