"""A watched dataset file as items: one per image, each with an identity by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.common.types import Annotation
from sedna.labels import read_coco
from sedna.labels.csv import read_csv_rows
from sedna.labels.jsonl import read_jsonl_rows
from sedna.labels.rows import LabelRow
from sedna.labels.source import as_text
from sedna.labels.txt import TxtLine, parse_line
from sedna.labels.validate import BoxCheck

Annotate = Callable[[int, int], Annotation]
"""From the image's width and height to what it shows; raises `DataError` for impossible boxes."""


@dataclass(frozen=True)
class Item:
    """One image of a dataset. ``digest`` is the sha256 of what the file says about it.

    ``fault`` is set where that cannot be understood; ``name`` may be empty then.
    """

    name: str
    digest: str
    where: str
    annotate: Annotate
    fault: DataError | None = None


def read_items(data: bytes, data_format: str, class_names: tuple[str, ...], where: str) -> tuple[Item, ...]:
    """The items of a dataset file, in its order; of the same statement made twice, the last.

    Raises:
        DataError: the file as a whole cannot be read. A line that is wrong by itself is an item with a ``fault``, or
            raises in its ``annotate``.
    """
    last: dict[str, Item] = {}
    for item in reversed(_READERS[data_format.lower()](data, class_names, where)):
        last.setdefault(item.digest, item)
    return tuple(reversed(last.values()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _txt(data: bytes, class_names: tuple[str, ...], where: str) -> list[Item]:
    items = []
    for number, text in enumerate(as_text(data, where).splitlines(), start=1):
        if text.strip():
            at = f"{where}: line {number}"
            items.append(Item(text.split()[0], _digest(text.strip()), at, _from_text(text, class_names, at)))
    return items


def _from_text(text: str, class_names: tuple[str, ...], where: str) -> Annotate:
    """Taken apart only when it is used: most lines of a file that has grown were used before."""

    def annotate(width: int, height: int) -> Annotation:
        return _checked(parse_line(text, where), class_names, where)(width, height)

    return annotate


def _csv(data: bytes, class_names: tuple[str, ...], where: str) -> list[Item]:
    return list(_rows(read_csv_rows(data, where), class_names, where))


def _jsonl(data: bytes, class_names: tuple[str, ...], where: str) -> list[Item]:
    return list(_rows(read_jsonl_rows(data, where), class_names, where))


def _rows(rows: Iterable[LabelRow], class_names: tuple[str, ...], where: str) -> Iterator[Item]:
    for row in rows:
        at = f"{where}: line {row.number}"
        if row.line is not None:
            # By what it says: another column, another spelling of the same number are no news.
            yield Item(row.line.file_name, _digest(repr(row.line)), at, _checked(row.line, class_names, at))
        else:
            assert row.fault is not None, "a row has a line or a fault"
            yield _faulty("", _digest(row.text), at, row.fault)


def _faulty(name: str, digest: str, where: str, fault: DataError) -> Item:
    def annotate(width: int, height: int) -> Annotation:  # noqa: ARG001  nothing can be said about any size
        raise fault

    return Item(name, digest, where, annotate, fault)


def _checked(line: TxtLine, class_names: tuple[str, ...], where: str) -> Annotate:
    def annotate(width: int, height: int) -> Annotation:
        check = BoxCheck("strict", class_names or _numbered(line))
        label = None if line.label is None else check.label(line.file_name, line.label)
        return Annotation(boxes=check.boxes(where, width, height, line.boxes), label=label)

    return annotate


def _numbered(line: TxtLine) -> tuple[str, ...]:
    """Class names for a job that names none, as upstream's do not: every label is as good as another."""
    labels = [box.label for box in line.boxes] + ([] if line.label is None else [line.label])
    return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def _coco(data: bytes, class_names: tuple[str, ...], where: str) -> list[Item]:
    items = []
    for image in read_coco(data, class_names=class_names or None).labels.items:
        text = f"{image.file_name} {image.width} {image.height} {image.annotation.model_dump_json()}"
        annotate = _of_size(image.width, image.height, image.annotation, where)
        items.append(Item(image.file_name, _digest(text), f"{where}: {image.file_name}", annotate))
    return items


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


_READERS: dict[str, Callable[[bytes, tuple[str, ...], str], list[Item]]] = {
    "txt": _txt,
    "csv": _csv,
    "json": _coco,
    "jsonl": _jsonl,
}
"""By ``spec.format`` of a Dataset, in lower case; `DatasetSpec` admits no other."""
