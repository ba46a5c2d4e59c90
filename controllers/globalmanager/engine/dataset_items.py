"""A watched dataset file as items: one per image, each with an identity by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sedna.common.errors import DataError, SpecError
from sedna.common.types import Annotation
from sedna.labels import read_coco
from sedna.labels.txt import TxtLine, parse_line
from sedna.labels.validate import BoxCheck

Annotate = Callable[[int, int], Annotation]
"""From the image's width and height to what it shows; raises `DataError` for impossible boxes."""


@dataclass(frozen=True)
class Item:
    """One image of a dataset. ``digest`` is the sha256 of what the file says about it."""

    name: str
    digest: str
    where: str
    annotate: Annotate


def read_items(data: bytes, data_format: str, class_names: tuple[str, ...], where: str) -> Iterator[Item]:
    """The items of a dataset file, in its order; the same statement twice is one item.

    Raises:
        SpecError: the format is not one for images.
        DataError: the file as a whole cannot be read. A line that is wrong by itself raises in its ``annotate``.
    """
    kind = data_format.lower()
    if kind == "txt":
        items = _txt(data, class_names, where)
    elif kind == "json":
        items = _coco(data, class_names, where)
    else:
        raise SpecError(f"format {data_format!r} cannot be watched", where=where, hint="txt (an index) or json (COCO)")
    seen = set()
    for item in items:
        if item.digest not in seen:
            seen.add(item.digest)
            yield item


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _txt(data: bytes, class_names: tuple[str, ...], where: str) -> Iterator[Item]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"byte {error.start} is not UTF-8", where=where, hint="save the index as UTF-8") from error
    for number, text in enumerate(lines, start=1):
        if text.strip():
            at = f"{where}: line {number}"
            yield Item(text.split()[0], _digest(text.strip()), at, _from_line(text, class_names, at))


def _from_line(text: str, class_names: tuple[str, ...], where: str) -> Annotate:
    def annotate(width: int, height: int) -> Annotation:
        line = parse_line(text, where)
        check = BoxCheck("strict", class_names or _numbered(line))
        label = None if line.label is None else check.label(line.file_name, line.label)
        return Annotation(boxes=check.boxes(where, width, height, line.boxes), label=label)

    return annotate


def _numbered(line: TxtLine) -> tuple[str, ...]:
    """Class names for a job that names none, as upstream's do not: every label is as good as another."""
    labels = [box.label for box in line.boxes] + ([] if line.label is None else [line.label])
    return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def _coco(data: bytes, class_names: tuple[str, ...], where: str) -> Iterator[Item]:
    for image in read_coco(data, class_names=class_names or None).labels.items:
        text = f"{image.file_name} {image.width} {image.height} {image.annotation.model_dump_json()}"
        yield Item(
            image.file_name,
            _digest(text),
            f"{where}: {image.file_name}",
            _of_size(image.width, image.height, image.annotation, where),
        )


def _of_size(width: int, height: int, annotation: Annotation, where: str) -> Annotate:
    def annotate(found_width: int, found_height: int) -> Annotation:
        if (found_width, found_height) != (width, height):
            raise DataError(
                f"the image is {found_width} x {found_height}, the file says {width} x {height}",
                where=where,
                hint="its boxes would be in the wrong places",
            )
        return annotation

    return annotate
