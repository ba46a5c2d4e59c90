"""Labelled pictures of one size in memory, and what every loader must check about them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError
from sedna.common.log import LOGGER

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


Encoded = tuple[str, Callable[[], bytes], int]
"""Name, a function that reads the encoded bytes, label index."""


def decode_all(
    items: Iterable[Encoded],
    class_names: Sequence[str],
    *,
    size: int | None,
    name: str,
    on_corrupt: OnCorrupt = "error",
    box: Sequence[tuple[float, float, float, float] | None] | None = None,
) -> ImageSet:
    """Decode pictures to one size.

    Args:
        size: side in pixels to resize to (bilinear); None keeps the size, which must then be the same everywhere.
        on_corrupt: a file that cannot be decoded is an error, or is left out with a warning that names it.
        box: x1, y1, x2, y2 to cut out of each picture, or None for the whole picture.

    Raises:
        DataError: a corrupt picture (with "error"), pictures of different sizes, or no picture at all.
    """
    pictures: list[Pixels] = []
    labels: list[int] = []
    names: list[str] = []
    for position, (sample, read, label) in enumerate(items):
        try:
            pixels = decode(read(), size=size, box=box[position] if box else None, where=f"{name}: {sample}")
        except DataError as error:
            if on_corrupt == "error":
                raise
            LOGGER.warning("left out: %s", error)
            continue
        if pictures and pixels.shape != pictures[0].shape:
            raise DataError(
                f"is {pixels.shape[2]} x {pixels.shape[1]}, the others {pictures[0].shape[2]} x {pictures[0].shape[1]}",
                where=f"{name}: {sample}",
                hint="set image_size",
            )
        pictures.append(pixels)
        labels.append(label)
        names.append(sample)
    if not pictures:
        raise DataError("no pictures", where=name, hint="at least one")
    return ImageSet(np.stack(pictures), np.asarray(labels, dtype=np.int64), tuple(class_names), name, tuple(names))


def decode(
    data: bytes, *, size: int | None, box: tuple[float, float, float, float] | None = None, where: str
) -> Pixels:
    """One picture as uint8 RGB ``(3, H, W)``.

    Raises:
        DataError: the bytes are no picture that Pillow can read to the end.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            rgb = image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"cannot be decoded: {error}", where=where, hint="a whole JPEG, PNG or WebP file") from error
    if box is not None:
        left, top, right, bottom = (round(value) for value in box)
        # A box narrower than a pixel still shows one; what reaches past the right or lower edge is black.
        rgb = rgb.crop((max(left, 0), max(top, 0), max(right, left + 1), max(bottom, top + 1)))
    if size is not None and rgb.size != (size, size):
        rgb = rgb.resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(rgb, dtype=np.uint8).transpose(2, 0, 1))


def read_bytes(path: Path) -> Callable[[], bytes]:
    """A reader of one file for `decode_all`."""

    def read() -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}", where=str(path)) from error

    return read
