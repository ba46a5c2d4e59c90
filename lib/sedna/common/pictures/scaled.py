"""Pictures made smaller, for people to look at."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image

from sedna.common.orientation import UPRIGHT
from sedna.common.pictures.decode import decode, look
from sedna.common.pictures.formats import MEDIA_TYPES

__all__ = ["SmallPicture", "as_shown", "scaled"]

_PNG_DEPTH = 24
_SHOWN = frozenset({"jpg", "png"})


@dataclass(frozen=True, slots=True)
class SmallPicture:
    """A picture that every browser shows."""

    content: bytes
    media_type: str


def scaled(data: bytes, side: int, *, bits: int | None = None, where: str = "", fine: bool = False) -> SmallPicture:
    """The picture in a file, upright, at most ``side`` pixels wide and high; a smaller one keeps its size.

    Args:
        bits, where: as `decode`.
        fine: for drawing on it, where small things must keep their edges; else for a grid, where bytes count.

    Raises:
        DataError, TooLargeError: as `decode`.
    """
    picture = decode(data, bits=bits, where=where)
    image = Image.fromarray(picture.pixels)
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=3.0)
    buffer = io.BytesIO()
    if fine:
        # No smaller colours: what people look for may be a thin line of another one.
        image.save(buffer, "JPEG", quality=95, subsampling=0)
        return SmallPicture(buffer.getvalue(), "image/jpeg")
    image.save(buffer, "WEBP", quality=75, method=2)
    return SmallPicture(buffer.getvalue(), "image/webp")


def as_shown(data: bytes, side: int, *, bits: int | None = None, where: str = "") -> SmallPicture | None:
    """A file as it is, if it is no larger than ``side`` and every browser shows the pixels that `decode` gives.

    Of 16 bits browsers show the upper ones, whatever is in them; and not all of them turn every format.

    Raises:
        DataError, TooLargeError: as `look`.
    """
    facts = look(data, where=where)
    wide = facts.extension == "png" and data[_PNG_DEPTH] == 16
    fits = max(facts.width, facts.height) <= side
    if facts.extension not in _SHOWN or wide or bits is not None or facts.orientation != UPRIGHT or not fits:
        return None
    return SmallPicture(data, MEDIA_TYPES[facts.extension])
