"""Encoded images to pixels, with limits: what arrives over the network may be broken or built to hurt."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError, TooLargeError
from sedna.common.types import SampleId, sample_id

__all__ = ["FrameImage", "Pixels", "decode_image", "encode_pixels"]

Pixels = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

_EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "BMP": "bmp", "WEBP": "webp"}


@dataclass(frozen=True, slots=True, eq=False)
class FrameImage:
    """One image as it arrived, and its pixels."""

    data: bytes
    extension: str
    pixels: Pixels
    sample_id: SampleId

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])


def decode_image(data: bytes, *, max_pixels: int) -> FrameImage:
    """Decode a whole PNG, JPEG, BMP or WebP image to RGB.

    The size is read from the header first: an image over ``max_pixels`` is refused before memory is taken for it.
    EXIF orientation is not applied, as training does not apply it either.

    Raises:
        DataError: not one of these formats, damaged, or cut short.
        TooLargeError: more than ``max_pixels`` pixels.
    """
    try:
        with Image.open(io.BytesIO(data), formats=tuple(_EXTENSIONS)) as image:
            pixels = image.width * image.height
            if pixels > max_pixels:
                raise TooLargeError(
                    f"{image.width} x {image.height} = {pixels} pixels", hint=f"at most {max_pixels} are accepted"
                )
            extension = _EXTENSIONS[str(image.format)]
            array = np.asarray(image.convert("RGB"))
        with Image.open(io.BytesIO(data), formats=tuple(_EXTENSIONS)) as image:
            image.verify()  # the end of a PNG holds no pixels: only this sees that it is missing
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLargeError(str(error), hint=f"at most {max_pixels} pixels are accepted") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        # Pillow reports a broken PNG as SyntaxError, and some broken headers as ValueError.
        text = "not an image of a known format" if isinstance(error, UnidentifiedImageError) else str(error)
        raise DataError(f"cannot decode the image: {text}", hint="a whole PNG, JPEG, BMP or WebP file") from error
    return FrameImage(data, extension, array, sample_id(data))


def encode_pixels(pixels: Pixels) -> FrameImage:
    """Pixels that arrived without a format, kept as PNG; the same pixels give the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    return FrameImage(data, "png", pixels, sample_id(data))
