"""COCO detection labels: one JSON file, boxes as [x, y, width, height] in absolute pixels.

Source: https://cocodataset.org/#format-data. Segmentations and key points are not carried over; ids are.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sedna.common.errors import DataError
from sedna.common.types import Annotation, Box, Value
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.source import as_text, label_set, labelled_image, read_source
from sedna.labels.validate import BoxCheck, LabelReport, Mode, RawBox, Skipped

__all__ = [
    "CocoIds",
    "CocoRead",
    "annotation_row",
    "image_row",
    "parse_coco",
    "raw_box",
    "read_coco",
    "write_coco",
]

MAX_BYTES = 1 << 30

_MAX_INTEGER = 1 << 53
"""Beyond, JSON's numbers are not exact, and Python's do not fit a float."""

_Row = Mapping[str, Any]


class CocoIds(Value):
    """The numbers that a file gave its parts, in the order of the label set: images, classes, boxes per image."""

    images: tuple[int, ...]
    categories: tuple[int, ...]
    annotations: tuple[tuple[int, ...], ...]


class CocoRead(Value):
    """A COCO file as labels, with its ids and with what was left out or changed."""

    labels: LabelSet
    ids: CocoIds
    report: LabelReport


def read_coco(
    source: bytes | Path,
    *,
    class_names: Sequence[str] | None = None,
    mode: Mode = "strict",
    max_bytes: int = MAX_BYTES,
) -> CocoRead:
    """Read a COCO file. Images without annotations stay: they show nothing. Crowd regions are skipped and reported.

    Args:
        class_names: classes in the order wanted, matched by name; None = the file's categories in their order.
        mode: see `sedna.labels.validate.Mode`.

    Raises:
        DataError: no JSON, missing or doubled ids, unknown category, impossible box.
        TooLargeError, NotFoundError: see `read_source`.
    """
    data, where = read_source(source, max_bytes, "COCO file")
    content = parse_coco(data, where)
    images = _rows(content, "images", where)
    classes = _classes(_rows(content, "categories", where), class_names, where)
    numbered, crowds = _boxes_by_image(content, images, classes, where)
    # Boxes are checked with the image they belong to: only there is the size known.
    check = BoxCheck(mode, classes.names)
    items: list[LabelledImage] = []
    box_ids: list[tuple[int, ...]] = []
    skipped: list[Skipped] = []
    for number, row in images.items():
        at = f"{where}: image {number}"
        name, width, height = _string(row, "file_name", at), _size(row, "width", at), _size(row, "height", at)
        boxes = check.each(name, width, height, [raw for _, raw in numbered[number]])
        kept = [(box_id, box) for (box_id, _), box in zip(numbered[number], boxes, strict=True) if box is not None]
        annotation = Annotation(boxes=tuple(box for _, box in kept))
        items.append(labelled_image(at, file_name=name, width=width, height=height, annotation=annotation))
        box_ids.append(tuple(box_id for box_id, _ in kept))
        if crowds[number]:
            reason = "iscrowd: a region, not one thing"
            skipped.append(Skipped(image=name, what=f"{crowds[number]} annotation(s)", reason=reason))
    return CocoRead(
        labels=label_set(where, classes.names, items),
        ids=CocoIds(images=tuple(images), categories=classes.ids, annotations=tuple(box_ids)),
        report=LabelReport(clipped=tuple(check.clipped), skipped=tuple(skipped)),
    )


def write_coco(labels: LabelSet, ids: CocoIds | None = None) -> bytes:
    """The labels as a COCO file. ``ids`` as read before, or None for 1, 2, 3...

    Raises:
        DataError: whole-image labels, which COCO cannot hold; ``ids`` of another label set.
    """
    if ids is None:
        ids = _fresh_ids(labels)
    _check_ids(labels, ids)
    annotations = []
    for item, image_id, box_ids in zip(labels.items, ids.images, ids.annotations, strict=True):
        for box, box_id in zip(item.annotation.boxes, box_ids, strict=True):
            annotations.append(annotation_row(box, box_id, image_id, ids.categories[box.label]))
    content = {
        "images": [image_row(item, image_id) for item, image_id in zip(labels.items, ids.images, strict=True)],
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name} for number, name in zip(ids.categories, labels.class_names, strict=True)
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1).encode()


def image_row(item: LabelledImage, image_id: int) -> dict[str, Any]:
    """A row of ``images``. Raises `DataError` for a label of the whole image."""
    if item.annotation.label is not None:
        hint = "write classification labels as txt"
        raise DataError("COCO has no whole-image labels", where=item.file_name, hint=hint)
    return {"id": image_id, "file_name": item.file_name, "width": item.width, "height": item.height}


def annotation_row(box: Box, box_id: int, image_id: int, category_id: int) -> dict[str, Any]:
    """A row of ``annotations``."""
    width, height = box.x2 - box.x1, box.y2 - box.y1
    written: dict[str, Any] = {
        "id": box_id,
        "image_id": image_id,
        "category_id": category_id,
        "bbox": [box.x1, box.y1, width, height],
        "area": width * height,
        "iscrowd": 0,
    }
    return written if box.score is None else {**written, "score": box.score}


def _fresh_ids(labels: LabelSet) -> CocoIds:
    boxes: list[tuple[int, ...]] = []
    start = 1
    for item in labels.items:
        boxes.append(tuple(range(start, start + len(item.annotation.boxes))))
        start += len(item.annotation.boxes)
    return CocoIds(
        images=tuple(range(1, len(labels.items) + 1)),
        categories=tuple(range(1, len(labels.class_names) + 1)),
        annotations=tuple(boxes),
    )


def _check_ids(labels: LabelSet, ids: CocoIds) -> None:
    counts = [len(item.annotation.boxes) for item in labels.items]
    # Counts alone: whether an id belongs to this very box, only its reader can know.
    fits = len(ids.images) == len(labels.items) and len(ids.categories) == len(labels.class_names)
    if not fits or [len(boxes) for boxes in ids.annotations] != counts:
        raise DataError("these COCO ids belong to another label set", hint="leave ids out to have new ones made")


def parse_coco(data: bytes, where: str) -> _Row:
    """The JSON object of a file. Raises `DataError` where it is none."""
    try:
        content = json.loads(as_text(data, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is no JSON: {error}", where=where, hint="a COCO file is one JSON object") from error
    if not isinstance(content, dict):
        raise DataError("this is no COCO file", where=where, hint="a JSON object with images, annotations, categories")
    return content


@dataclass(frozen=True)
class _Classes:
    names: tuple[str, ...]
    ids: tuple[int, ...]
    label_of: Mapping[int, int]


def _classes(rows: Mapping[int, _Row], wanted: Sequence[str] | None, where: str) -> _Classes:
    id_of: dict[str, int] = {}
    for number, row in rows.items():
        name = _string(row, "name", f"{where}: category {number}")
        if name in id_of:
            raise DataError(f"two categories are called {name!r}", where=where, hint="names are unique")
        id_of[name] = number
    names = tuple(id_of) if wanted is None else tuple(wanted)
    # A class of the job that the file lacks gets an id that no category has, so that the file can be written again.
    unused = itertools.count(max(rows, default=0) + 1)
    ids = tuple(id_of[name] if name in id_of else next(unused) for name in names)
    return _Classes(names, ids, {number: label for label, number in enumerate(ids)})


def _boxes_by_image(
    content: _Row, images: Mapping[int, _Row], classes: _Classes, where: str
) -> tuple[dict[int, list[tuple[int, RawBox]]], Counter[int]]:
    """Boxes with their ids, and the number of crowd regions, by image id."""
    boxes: dict[int, list[tuple[int, RawBox]]] = {number: [] for number in images}
    crowds: Counter[int] = Counter()
    for number, row in _rows(content, "annotations", where).items():
        at = f"{where}: annotation {number}"
        image = _image_of(row, images, at)
        # A crowd region is a mask over many things; as a box it would teach one large thing.
        if row.get("iscrowd"):
            crowds[image] += 1
        else:
            boxes[image].append((number, _raw_box(row, classes, at)))
    return boxes, crowds


def _image_of(row: _Row, images: Mapping[int, _Row], at: str) -> int:
    image = _integer(row, "image_id", at)
    if image not in images:
        raise DataError(f"image {image} is not in the file", where=at, hint="list it under images")
    return image


def _raw_box(row: _Row, classes: _Classes, at: str) -> RawBox:
    category = _integer(row, "category_id", at)
    if category not in classes.label_of:
        hint = f"the classes are {', '.join(classes.names[:20])}"
        raise DataError(f"category {category} is not among the classes", where=at, hint=hint)
    return raw_box(row, classes.label_of[category], at)


def raw_box(row: _Row, label: int, at: str) -> RawBox:
    """The box of an annotation whose class is known. Raises `DataError` where it has none.

    ``at``: what messages call the annotation.
    """
    box = row.get("bbox")
    if not isinstance(box, list) or len(box) != 4 or not all(_is_number(value) for value in box):
        raise DataError(f"bbox is {box!r}", where=at, hint="four numbers: x, y, width, height")
    score = row.get("score")
    if score is not None and not _is_number(score):
        raise DataError(f"score is {score!r}", where=at, hint="a number from 0 to 1")
    x, y, width, height = (float(value) for value in box)
    return RawBox(x, y, x + width, y + height, label, None if score is None else float(score))


def _rows(content: _Row, key: str, where: str) -> dict[int, _Row]:
    """The objects of the list ``key`` by their ids."""
    found = content.get(key)
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise DataError(f"{key} is missing or no list of objects", where=where, hint="images, annotations, categories")
    rows: dict[int, _Row] = {}
    for position, row in enumerate(found):
        number = _integer(row, "id", f"{where}: {key}[{position}]")
        # Nothing in the file can be trusted then: which of the two does an annotation speak of?
        if number in rows:
            raise DataError(f"two of the {key} have the id {number}", where=where, hint="ids are unique")
        rows[number] = row
    return rows


def _integer(row: _Row, key: str, at: str) -> int:
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _MAX_INTEGER:
        raise DataError(f"{key} is {value!r}", where=at, hint="a whole number")
    return value


def _size(row: _Row, key: str, at: str) -> int:
    value = _integer(row, key, at)
    if value < 1:
        raise DataError(f"{key} is {value}", where=at, hint="a size in pixels, at least 1")
    return value


def _string(row: _Row, key: str, at: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise DataError(f"{key} is {value!r}", where=at, hint="a text")
    return value


def _is_number(value: object) -> bool:
    # True and False are numbers to Python, not to a person who draws boxes.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, float) or abs(value) <= _MAX_INTEGER
