"""Is it an image, and how large?"""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError, TooLargeError

MAX_PIXELS = 100_000_000
"""A hundred megapixels; the decoder would take 300 MB for more."""

_EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "BMP": "bmp", "WEBP": "webp", "TIFF": "tif", "GIF": "gif"}

# Pillow warns about images over its own limit, which is below ours. The limit goes up, once, for the process: a filter
# around each call would be no way to silence the warning, since all threads share the list of filters, and one that
# puts the list back undoes what another has set meanwhile.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


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
        with Image.open(io.BytesIO(data), formats=tuple(_EXTENSIONS)) as image:
            width, height = image.size
            # Of the header, before the decode: nothing has taken memory for the pixels yet.
            if width * height > MAX_PIXELS:
                raise _too_large(f"the image is {width} x {height}", where)
            image.load()
            return ImageFacts(width, height, _EXTENSIONS[str(image.format)])
    except UnidentifiedImageError as error:
        kinds = ", ".join(sorted(_EXTENSIONS))
        raise DataError("this is no image that can be read", where=where, hint=f"formats: {kinds}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        # The warning arrives as an exception where warnings are errors.
        raise _too_large("the image has too many pixels", where) from error
    except (OSError, ValueError, SyntaxError) as error:
        raise DataError(f"the image is damaged: {error}", where=where) from error


def _too_large(message: str, where: str) -> TooLargeError:
    return TooLargeError(message, where=where, hint=f"at most {MAX_PIXELS} pixels")
