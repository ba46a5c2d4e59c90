"""Pictures of requests: as they arrived, and their pixels. What a picture is, `sedna.common.pictures` decides."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from sedna.common.pictures import MAX_PIXELS, Pixels, decode
from sedna.common.types import SampleId, sample_id

__all__ = ["FrameImage", "Pixels", "decode_image", "encode_pixels"]


@dataclass(frozen=True, slots=True, eq=False)
class FrameImage:
    """One image as it arrived, and its pixels: RGB, (height, width, 3), turned as its EXIF orientation says."""

    data: bytes
    extension: str
    pixels: Pixels
    sample_id: SampleId
    orientation: int = 1

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])


def decode_image(data: bytes, *, max_pixels: int = MAX_PIXELS, bits: int | None = None) -> FrameImage:
    """Decode a whole image file to RGB.

    Args:
        bits: how many bits of a sample are used, as the job declares.

    Raises:
        DataError, TooLargeError: as `sedna.common.pictures.decode`.
    """
    picture = decode(data, bits=bits, max_pixels=max_pixels)
    return FrameImage(data, picture.extension, picture.pixels, sample_id(data), picture.orientation)


def encode_pixels(pixels: Pixels) -> FrameImage:
    """Pixels that arrived without a format, kept as PNG; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    return FrameImage(data, "png", pixels, sample_id(data))
