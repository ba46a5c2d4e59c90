"""Which way up a picture is: the EXIF tag Orientation, in JPEG, PNG, WebP and TIFF.

Cameras write the pixels as the sensor gave them and say beside them how they were held; whoever shows the picture turns
it. Source: CIPA DC-008 (EXIF 3.0), section 4.6.5.1.2: 1 = as it is, 2 = mirrored, 3 = half a turn, 4 = upside down
mirrored, 5 = mirrored along the diagonal, 6 = a quarter turn clockwise, 7 = mirrored along the other diagonal, 8 = a
quarter turn counter-clockwise.
"""

from __future__ import annotations

import struct

__all__ = [
    "ORIENTATION_TAG",
    "UPRIGHT",
    "exif_orientation",
    "known_orientation",
    "turned_box",
    "turned_size",
]

UPRIGHT = 1
ORIENTATION_TAG = 0x0112

_SHORT = 3
_ENTRY = 12
_MOST_ENTRIES = 1000


def known_orientation(value: object) -> int:
    """1 to 8; what is none of these says nothing, as every viewer takes it."""
    return value if isinstance(value, int) and 1 <= value <= 8 else UPRIGHT


def exif_orientation(exif: bytes | None) -> int:
    """The orientation in an EXIF block; 1 where there is none, or the block is damaged."""
    # Read here: Pillow's reader falls back to XMP, which no browser does, and warns about what it does not understand.
    if not exif:
        return UPRIGHT
    block = exif.removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        (count,) = struct.unpack_from(f"{order}H", block, start)
        for number in range(min(count, _MOST_ENTRIES)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", block, start + 2 + number * _ENTRY)
            if tag == ORIENTATION_TAG:
                return known_orientation(value) if kind == _SHORT else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def turned_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Width and height as the picture is seen, from those of its file; and back."""
    return (size[1], size[0]) if orientation >= 5 else size


def turned_box(
    corners: tuple[float, float, float, float], size: tuple[int, int], orientation: int
) -> tuple[float, float, float, float]:
    """A box that was drawn on the unturned pixels, on the picture as it is seen.

    Args:
        corners: x1, y1, x2, y2 in the unturned picture.
        size: (width, height) of the unturned picture.
    """
    x1, y1, x2, y2 = corners
    width, height = turned_size(size, orientation)
    if orientation in (5, 6, 7, 8):
        x1, y1, x2, y2 = y1, x1, y2, x2
    if orientation in (2, 3, 6, 7):
        x1, x2 = width - x2, width - x1
    if orientation in (3, 4, 7, 8):
        y1, y2 = height - y2, height - y1
    return x1, y1, x2, y2
