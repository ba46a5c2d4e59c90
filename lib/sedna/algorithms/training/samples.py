"""Reading the data sources of a job: what detection and classification have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from sedna.common.errors import DataError

Pixels = npt.NDArray[np.uint8]
Picture = str | Path | Image.Image | Pixels
"""What can be predicted: a path, a PIL image, or an array of uint8 in RGB order."""


@runtime_checkable
class DataSource(Protocol):
    """The part of ``sedna.datasources.BaseDataSource`` that is read here: pictures ``x`` and labels ``y``."""

    x: Any
    y: Any


def listed_pictures(data: Any) -> list[Any]:
    """What a caller hands over to be predicted, as a list: a data source, one picture alone, or several of them."""
    if isinstance(data, DataSource):
        return list(data.x)
    if isinstance(data, str | Path | Image.Image):
        return [data]
    if isinstance(data, np.ndarray) and data.dtype == np.uint8:
        return [data] if data.ndim < 4 else list(data)
    return list(data)


def label_index(value: Any, class_names: Sequence[str], where: str) -> int:
    """Index of a class by its name or its index, which may be a text or a float such as 1.0 (tables have no other).

    A name wins: "0" is class 3 if that is what class 3 is called.

    Raises:
        DataError: neither.
    """
    text = str(value).strip()
    if text in class_names:
        return list(class_names).index(text)
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number.is_integer() and 0 <= number < len(class_names):
        return int(number)
    raise DataError(
        f"unknown label {text!r}", where=where, hint=f"0..{len(class_names) - 1} or one of {', '.join(class_names)}"
    )
