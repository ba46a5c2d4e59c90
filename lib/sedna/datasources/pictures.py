"""Pictures as an edge hands them to ``predict``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from sedna.common.errors import DataError

__all__ = ["Pixels", "read_pictures"]

Pixels = npt.NDArray[np.uint8]
"""RGB, shape (height, width, 3)."""


def read_pictures(paths: Iterable[str | Path]) -> list[Pixels]:
    """The pictures of these files, such as ``data.x`` of a training or an evaluation, as ``predict`` gets them: RGB,
    uint8, shape (height, width, 3).

    Raises:
        DataError: a file is no picture; names it.
    """
    return [_read(str(path)) for path in paths]


def _read(path: str) -> Pixels:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"no picture: {error}", where=path) from error
