"""Is this really an image of the stated size? Decided before anything is stored."""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError, TooLargeError

__all__ = ["MEDIA_TYPES", "image_size"]

MEDIA_TYPES = {
    "bmp": "image/bmp",
    "gif": "image/gif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
}
"""Of sample files, by extension. Anything else is served as bytes that no browser runs."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, OverflowError)
"""What Pillow's decoders raise for damaged files."""


def image_size(data: bytes, *, max_pixels: int, where: str) -> tuple[int, int]:
    """Width and height in pixels of an image that decodes to its last row.

    The size is read from the header and compared with ``max_pixels`` before any pixel is decoded.

    Raises:
        DataError: not an image, or a damaged one.
        TooLargeError: more than ``max_pixels``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large and of odd files; what counts is decided here
            with Image.open(io.BytesIO(data)) as image:
                width, height = image.size
                if width * height > max_pixels:
                    raise TooLargeError(
                        f"the image has {width} x {height} pixels", where=where, hint=f"at most {max_pixels}"
                    )
                image.load()
    except UnidentifiedImageError as error:
        raise DataError("the bytes are not an image", where=where, hint="JPEG, PNG, BMP, WebP, ...") from error
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"the image is too large: {error}", where=where, hint=f"at most {max_pixels}") from error
    except _BROKEN as error:
        raise DataError(f"the image is damaged: {error}", where=where, hint="send the whole file") from error
    return width, height
