"""Is it an image, and how large?"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError, TooLargeError

MAX_PIXELS = 100_000_000
"""A hundred megapixels; the decoder would take 300 MB for more."""

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "BMP": "bmp", "WEBP": "webp", "TIFF": "tif", "GIF": "gif"}


@dataclass(frozen=True)
class ImageFacts:
    """Size in pixels and the usual extension of the format, without the dot."""

    width: int
    height: int
    extension: str


def inspect_image(data: bytes, where: str) -> ImageFacts:
    """Decode an image once, so that a damaged one is found here and not in a training.

    Raises:
        DataError: no image, of an unsupported format, or damaged.
        TooLargeError: more pixels than `MAX_PIXELS`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            with Image.open(io.BytesIO(data), formats=tuple(_EXTENSIONS)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise TooLargeError(
                        f"the image is {width} x {height}", where=where, hint=f"at most {MAX_PIXELS} pixels"
                    )
                image.load()
                return ImageFacts(width, height, _EXTENSIONS[str(image.format)])
    except UnidentifiedImageError as error:
        kinds = ", ".join(sorted(_EXTENSIONS))
        raise DataError("this is no image that can be read", where=where, hint=f"formats: {kinds}") from error
    except Image.DecompressionBombError as error:
        raise TooLargeError("the image has too many pixels", where=where, hint=f"at most {MAX_PIXELS}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"the image is damaged: {error}", where=where) from error
