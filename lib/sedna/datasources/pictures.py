"""Pictures as an edge hands them to ``predict``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sedna.common.pictures import Pixels, read_pixels

__all__ = ["Pixels", "read_pictures"]


def read_pictures(paths: Iterable[str | Path]) -> list[Pixels]:
    """The pictures of these files, such as ``data.x`` of a training or an evaluation, as ``predict`` gets them: RGB,
    uint8, shape (height, width, 3), turned as people see them.

    Raises:
        NotFoundError, DataError, TooLargeError: a file is no picture that is taken; names it.
    """
    return [read_pixels(path) for path in paths]
