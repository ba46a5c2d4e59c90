"""Bytes of a file to pixels, with limits: what people and networks bring may be broken, or built to hurt."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.ImageFile import ImageFile

from sedna.common.errors import DataError, SednaError, TooLargeError
from sedna.common.orientation import (
    ORIENTATION_TAG,
    UPRIGHT,
    exif_orientation,
    known_orientation,
    turned_size,
)
from sedna.common.picture_limits import MAX_PIXELS
from sedna.common.pictures.depth import eight_bits
from sedna.common.pictures.formats import NAMES, PictureFormat, format_of, tag

__all__ = ["MAX_PIXELS", "DecodedPicture", "PictureFacts", "Pixels", "decode", "look", "of_image"]

Pixels = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""

_PNG_DEPTH = 24
"""Where the header of a PNG has the bits per sample."""

# Pillow warns about pictures over its own limit, which is below ours. The limit goes up, once, for the process: a
# filter around each call would be no way to silence the warning, since all threads share the list of filters, and one
# that puts the list back undoes what another has set meanwhile.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What the header says: the size as the picture is seen, the extension of its format, its EXIF orientation."""

    width: int
    height: int
    extension: str
    orientation: int


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPicture:
    """A picture as it is seen, and from which format and EXIF orientation it came."""

    pixels: Pixels
    extension: str
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as it is seen."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


def decode(data: bytes, *, bits: int | None = None, max_pixels: int = MAX_PIXELS, where: str = "") -> DecodedPicture:
    """The picture in a file, upright.

    The size is read from the header first: a picture over ``max_pixels`` is refused before memory is taken for it.

    Args:
        bits: how many bits of a sample are used, where the owner of the pictures knows it better than the files.
        where: what messages call it.

    Raises:
        DataError: of no format that is taken, damaged, cut short, or with samples that no rule makes 8 bits of.
        TooLargeError: more than ``max_pixels`` pixels.
    """
    kind = _kind(data, where)
    try:
        image, exif = _opened(data, kind, max_pixels)
        with image:
            orientation = _orientation(image, exif)
            image.load()
            pixels = eight_bits(image, bits, wide=kind.extension == "png" and data[_PNG_DEPTH] == 16)
            # Pillow turns a TIFF itself when it loads it, and drops the tag then.
            turned = kind.extension == "tif" and tag(image, ORIENTATION_TAG) is None
    except Exception as error:  # the boundary to decoders: what they raise is the fault of the file
        raise _fault(error, kind, where) from error
    if orientation != UPRIGHT and not turned:
        pixels = _turned(pixels, orientation)
    return DecodedPicture(pixels, kind.extension, orientation)


def of_image(image: Image.Image, where: str = "") -> Pixels:
    """What is seen of an image that a program has opened with Pillow itself.

    Raises:
        DataError: as `decode`.
    """
    exif = image.info.get("exif")
    image.load()
    try:
        pixels = eight_bits(image.copy(), None)
    except DataError as error:
        raise DataError(error.message, where=where, hint=error.hint) from error
    return _turned(pixels, exif_orientation(exif if isinstance(exif, bytes) else None))


def look(data: bytes, *, max_pixels: int = MAX_PIXELS, where: str = "") -> PictureFacts:
    """What the header of a picture says. Its pixels may still be damaged, or of a kind that `decode` refuses.

    Raises:
        DataError, TooLargeError: as `decode`, as far as the header tells.
    """
    kind = _kind(data, where)
    try:
        image, exif = _opened(data, kind, max_pixels)
        with image:
            orientation = _orientation(image, exif)
            width, height = turned_size(_size_in_file(image), orientation)
    except Exception as error:  # as in `decode`
        raise _fault(error, kind, where) from error
    return PictureFacts(width, height, kind.extension, orientation)


def _kind(data: bytes, where: str) -> PictureFormat:
    kind = format_of(data)
    if kind is None:
        what = "the file is empty" if not data else "this is no picture of a known format"
        raise DataError(what, where=where, hint=f"a whole file of one of these: {NAMES}")
    return kind


def _opened(data: bytes, kind: PictureFormat, max_pixels: int) -> tuple[ImageFile, bytes | None]:
    """The picture with its header read, and its EXIF block."""
    if kind.extension == "webp":
        _check_pixels(_webp_size(data), max_pixels)  # its reader takes memory for the whole canvas at once
    image = kind.opener(io.BytesIO(data))
    _check_pixels(image.size, max_pixels)
    block = _check_png(data) if kind.extension == "png" else image.info.get("exif")
    return image, block if isinstance(block, bytes) else None


def _orientation(image: ImageFile, exif: bytes | None) -> int:
    own = tag(image, ORIENTATION_TAG)
    return exif_orientation(exif) if own is None else known_orientation(own)


def _size_in_file(image: ImageFile) -> tuple[int, int]:
    """Width and height of the unturned pixels; Pillow gives those of a TIFF turned."""
    width, height = tag(image, 256), tag(image, 257)
    return image.size if width is None or height is None else (int(width), int(height))


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        count = f"{size[0]} x {size[1]} = {size[0] * size[1]} pixels"
        raise TooLargeError(f"the picture has {count}", hint=f"at most {max_pixels} are accepted")


def _fault(error: Exception, kind: PictureFormat, where: str) -> Exception:
    if isinstance(error, SednaError):
        return type(error)(error.message, where=where, hint=error.hint)
    if isinstance(error, MemoryError):
        return error  # of this machine, not of the file
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        return TooLargeError("the picture has too many pixels", where=where, hint=f"at most {MAX_PIXELS}")
    text = str(error) or type(error).__name__
    return DataError(f"the picture is damaged: {text}", where=where, hint=f"a whole {kind.name} file")


def _check_png(data: bytes) -> bytes | None:
    """Walk a PNG to its end: the loader looks neither at the sums nor at what is behind the pixels. Its EXIF block."""
    exif, place, name = None, 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", data, place) if place + 8 <= len(data) else (0, b"")
        end = place + 12 + length
        if not name or end > len(data):
            raise DataError("the picture is damaged: the file is cut short", hint="a whole PNG file")
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[place + 4 : end - 4]) != expected:
            shown = name.decode("ascii", "replace")
            raise DataError(f"the picture is damaged: wrong check sum of its part {shown}", hint="a whole PNG file")
        if name == b"eXIf":
            exif = data[place + 8 : end - 4]
        place = end
    return exif


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height of the canvas. Source: the WebP container specification, and RFC 6386 and 9649 for its parts."""
    part, head = data[12:16], data[20:30]
    if len(head) < 10:
        raise DataError("the picture is damaged: the file is cut short", hint="a whole WEBP file")
    if part == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if part == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """The picture as it is seen."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
