"""Labelled pictures of one size in memory, and what every loader must check about them."""

from __future__ import annotations

import functools
import math
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from sedna.common import pictures
from sedna.common.errors import DataError, UserError
from sedna.common.log import LOGGER
from sedna.common.orientation import turned_box, turned_size
from sedna.common.pictures import MAX_PIXELS, declared_bits
from sedna.common.regular_files import read_regular

Pixels = npt.NDArray[np.uint8]
"""uint8 RGB; the suffix of a name gives the axes, such as ``x_NCHW``."""

OnCorrupt = Literal["error", "skip"]


@dataclass(frozen=True)
class ImageSet:
    """Pictures ``x_NCHW`` (uint8 RGB), labels ``y_N`` (int64, index into ``class_names``; -1: not known).

    Raises:
        DataError: shapes do not match, or a label lies outside the class list.
    """

    x_NCHW: Pixels
    y_N: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    name: str = "images"
    sample_names: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.x_NCHW.dtype != np.uint8 or self.x_NCHW.ndim != 4 or self.x_NCHW.shape[1] != 3:
            raise DataError(
                f"pictures are {self.x_NCHW.dtype} {self.x_NCHW.shape}", where=self.name, hint="uint8 (N, 3, H, W)"
            )
        if self.y_N.shape != (len(self.x_NCHW),):
            raise DataError(f"{len(self.x_NCHW)} pictures, labels {self.y_N.shape}", where=self.name, hint="one each")
        outside = np.flatnonzero((self.y_N < -1) | (self.y_N >= len(self.class_names)))
        if outside.size:
            first = int(outside[0])
            raise DataError(
                f"label {int(self.y_N[first])} of picture {self.sample_name(first)} is outside the class list",
                where=self.name,
                hint=f"0..{len(self.class_names) - 1}",
            )

    def __len__(self) -> int:
        return len(self.x_NCHW)

    def sample_name(self, index: int) -> str:
        """The file (or row) a picture came from."""
        return self.sample_names[index] if self.sample_names else f"#{index}"

    def take(self, indices: npt.NDArray[np.int64]) -> ImageSet:
        """A copy of some pictures, in the given order."""
        names = tuple(self.sample_names[int(i)] for i in indices) if self.sample_names else ()
        return ImageSet(self.x_NCHW[indices], self.y_N[indices], self.class_names, self.name, names)

    def checksum(self) -> int:
        """crc32 over pixels and labels: tells two data sets apart when a run is resumed."""
        return zlib.crc32(self.y_N.tobytes(), zlib.crc32(np.ascontiguousarray(self.x_NCHW).data))


@dataclass(frozen=True)
class Crop:
    """A box x1, y1, x2, y2 to cut out, and the (width, height) that its file states for the picture, if it does."""

    box: tuple[float, float, float, float]
    stated: tuple[int, int] | None = None


Encoded = tuple[str, Callable[[], bytes], int]
"""Name, a function that reads the encoded bytes, label index."""


def decode_all(
    items: Iterable[Encoded],
    class_names: Sequence[str],
    *,
    size: int | None,
    name: str,
    on_corrupt: OnCorrupt = "error",
    crops: Sequence[Crop] | None = None,
) -> ImageSet:
    """Decode pictures to one size.

    Args:
        size: side in pixels to resize to (bilinear); None keeps the size, which must then be the same everywhere.
        on_corrupt: a file that cannot be decoded is an error, or is left out with a warning that names it.
        crops: what to cut out of each picture; None = the whole ones.

    Raises:
        UserError: a picture that is not there or corrupt (with "error").
        DataError: pictures of different sizes, or no picture at all.
    """
    decoded: list[Pixels] = []
    labels: list[int] = []
    names: list[str] = []
    for position, (sample, read, label) in enumerate(items):
        try:
            pixels = decode(read(), size=size, crop=crops[position] if crops else None, where=f"{name}: {sample}")
        except UserError as error:
            if on_corrupt == "error":
                raise
            LOGGER.warning("left out: %s", error)
            continue
        if decoded and pixels.shape != decoded[0].shape:
            raise DataError(
                f"is {pixels.shape[2]} x {pixels.shape[1]}, the others {decoded[0].shape[2]} x {decoded[0].shape[1]}",
                where=f"{name}: {sample}",
                hint="set image_size",
            )
        decoded.append(pixels)
        labels.append(label)
        names.append(sample)
    if not decoded:
        raise DataError("no pictures", where=name, hint="at least one")
    return ImageSet(np.stack(decoded), np.asarray(labels, dtype=np.int64), tuple(class_names), name, tuple(names))


def decode(data: bytes, *, size: int | None, crop: Crop | None = None, where: str) -> Pixels:
    """One picture as uint8 RGB ``(3, H, W)``; samples of more than 8 bits as the variable PICTURE_BITS says.

    Raises:
        DataError, TooLargeError: the bytes are no picture, see `sedna.common.pictures.decode`; the box is none.
    """
    picture = pictures.decode(data, bits=declared_bits(), where=where)
    rgb = Image.fromarray(picture.pixels)
    if crop is not None:
        rgb = rgb.crop(_corners(crop, picture, where))
    if size is not None and rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(rgb, dtype=np.uint8).transpose(2, 0, 1))


def _corners(crop: Crop, picture: pictures.DecodedPicture, where: str) -> tuple[int, int, int, int]:
    """In whole pixels of the picture as it is seen."""
    corners, in_file = crop.box, turned_size(picture.size, picture.orientation)
    if crop.stated == in_file != picture.size:
        LOGGER.info("%s: the box was drawn on the unturned picture, and is turned with it", where)
        corners = turned_box(corners, in_file, picture.orientation)
    if not all(math.isfinite(value) for value in corners):
        raise DataError(f"box {list(corners)} is none", where=where, hint="finite numbers of pixels")
    left, top, right, bottom = (round(value) for value in corners)
    # A box narrower than a pixel still shows one; what reaches past the right or lower edge is black.
    left, top = max(left, 0), max(top, 0)
    right, bottom = max(right, left + 1), max(bottom, top + 1)
    if (right - left) * (bottom - top) > MAX_PIXELS:
        raise DataError(f"box {list(corners)} lies far outside the picture", where=where, hint=str(picture.size))
    return left, top, right, bottom


def read_bytes(path: Path) -> Callable[[], bytes]:
    """A reader of one file for `decode_all`."""

    return functools.partial(read_regular, path)
