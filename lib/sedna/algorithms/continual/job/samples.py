"""Labelled and unlabelled pictures out of the data sources of a job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sedna.algorithms.continual.data.images import Encoded, ImageSet, OnCorrupt, decode, decode_all, read_bytes
from sedna.algorithms.training.samples import DataSource, Picture, Pixels, label_index, listed_pictures
from sedna.common.errors import DataError
from sedna.common.pictures import of_image


def read_labelled(source: DataSource, class_names: Sequence[str], image_size: int) -> ImageSet:
    """All labelled pictures of a source. A label is a class name or its index; a corrupt picture is an error, because
    a label was paid for it.

    Raises:
        DataError: a picture cannot be read, a label is missing or unknown, or x and y differ in length.
    """
    paths, labels = [str(x) for x in source.x], list(source.y)
    if len(paths) != len(labels):
        raise DataError(f"{len(paths)} pictures and {len(labels)} labels", where="data", hint="one label each")
    items: list[Encoded] = [
        (path, read_bytes(Path(path)), label_index(label, class_names, path))
        for path, label in zip(paths, labels, strict=True)
    ]
    return decode_all(items, class_names, size=image_size, name="labelled samples")


def read_unlabelled(source: DataSource | None, class_names: Sequence[str], image_size: int) -> ImageSet:
    """All unlabelled pictures that can be read; the others are left out with a warning. May be empty."""
    paths = [] if source is None else [str(x) for x in source.x]
    items: list[Encoded] = [(path, read_bytes(Path(path)), -1) for path in paths]
    return decode_some(items, class_names, image_size, "skip")


def decode_some(items: Sequence[Encoded], class_names: Sequence[str], size: int, on_corrupt: OnCorrupt) -> ImageSet:
    """As `decode_all`, but nothing at all is an empty set."""
    if not items:
        return empty_set(class_names, size)
    return decode_all(items, class_names, size=size, name="unlabelled samples", on_corrupt=on_corrupt)


def empty_set(class_names: Sequence[str], size: int) -> ImageSet:
    """No pictures."""
    return ImageSet(np.empty((0, 3, size, size), np.uint8), np.empty(0, np.int64), tuple(class_names), "nothing")


def read_pictures(data: Any, image_size: int) -> Pixels:
    """Pictures to predict as uint8 ``(N, 3, S, S)``: paths, PIL images, uint8 arrays (H, W, 3), or a data source.

    Raises:
        DataError: a picture cannot be read; the message names it.
    """
    views = [_view(picture, image_size, position) for position, picture in enumerate(listed_pictures(data))]
    return np.stack(views) if views else np.empty((0, 3, image_size, image_size), np.uint8)


def _view(picture: Picture, size: int, position: int) -> Pixels:
    if isinstance(picture, str | Path):
        return decode(read_bytes(Path(picture))(), size=size, where=str(picture))
    seen = of_image(picture, f"picture {position}") if isinstance(picture, Image.Image) else _array(picture, position)
    rgb = Image.fromarray(seen).resize((size, size), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(rgb, dtype=np.uint8).transpose(2, 0, 1))


def _array(pixels: Pixels, position: int) -> Pixels:
    array = np.asarray(pixels)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise DataError(f"is {array.dtype} {array.shape}", where=f"picture {position}", hint="uint8 (H, W, 3), RGB")
    return array
