"""Annotations of Label Studio, as its export "JSON" has them.

Source: https://labelstud.io/guide/export. Values are percent of width and height. Outlines, ellipses and turned boxes
become the box around them; a choice is the class of its image. An annotation without results says that the image shows
nothing. Nothing is said by a task without annotations, by a cancelled annotation ("skip"), and by predictions.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sedna.common.errors import DataError
from sedna.labels.classes import ClassNames
from sedna.labels.items import ImageLabels, LabelItem, faulty, said
from sedna.labels.names import image_name
from sedna.labels.rows import shown
from sedna.labels.shapes import Corners, around, turned_about
from sedna.labels.source import as_text
from sedna.labels.validate import RawBox

__all__ = ["labelstudio_items"]

_Row = Mapping[str, Any]

_FORM = 'the file of an export "JSON" (not "JSON-MIN"): a list of tasks'
_PREFIX = re.compile(r"^[0-9a-f]{8}-")
"""What Label Studio puts before the name of a file that is uploaded."""

_SHAPES = {"rectanglelabels": "rectangle", "polygonlabels": "polygon", "ellipselabels": "ellipse"}
_PICTURE = re.compile(r"\.(jpe?g|png|bmp|webp|tiff?|gif)($|\?)", re.IGNORECASE)


@dataclass
class _Said:
    """One annotation."""

    boxes: list[tuple[str, Corners, str]] = field(default_factory=list)
    """Class, corners as fractions, and what messages call it."""
    choices: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None
    faults: list[DataError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    @property
    def meaning(self) -> object:
        """Two annotations with the same say the same."""
        return sorted((name, corners) for name, corners, _ in self.boxes), sorted(self.choices), len(self.faults)


def labelstudio_items(data: bytes, classes: ClassNames, where: str) -> Iterator[LabelItem]:
    """The annotated tasks of a file, in its order.

    Of several annotations of a task the one marked as ground truth counts; without such a mark they must say the same.

    Args:
        classes: matched by name; open ones learn those found, in the file's order.

    Raises:
        DataError: the file as a whole cannot be read. What is wrong with one task is the fault of its item, and what is
            wrong with one result is among the faults of its image.
    """
    read = [
        _task(task, f"{where}: task {_number_of(task, position)}") for position, task in enumerate(_tasks(data, where))
    ]
    found = [one for one in read if isinstance(one, _Task)]
    classes.learn(name for one in found for name in (*(box[0] for box in one.said.boxes), *one.said.choices))
    for one in read:
        if isinstance(one, _Task):
            yield _item(one, classes)
        elif one is not None:
            yield one


@dataclass(frozen=True)
class _Task:
    name: str
    others: tuple[str, ...]
    at: str
    said: _Said


def _tasks(data: bytes, where: str) -> list[Any]:
    try:
        content = json.loads(as_text(data, where))
    except (ValueError, RecursionError) as error:
        raise DataError(f"this is no JSON: {error}", where=where, hint=_FORM) from error
    if not isinstance(content, list):
        raise DataError("this is no list of tasks", where=where, hint=_FORM)
    return content


def _number_of(task: Any, position: int) -> object:
    number = task.get("id") if isinstance(task, dict) else None
    return number if isinstance(number, int) else f"[{position}]"


def _task(task: Any, at: str) -> _Task | LabelItem | None:
    """None where nothing is said about the image; an item where what is said cannot be understood."""
    try:
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise DataError("it has no data", where=at, hint=_FORM)
        given = task.get("annotations")
        if not isinstance(given, list) or not all(isinstance(row, dict) for row in given):
            raise DataError("it has no list of annotations", where=at, hint=_FORM)
        valid = [row for row in given if not row.get("was_cancelled")]
        if not valid:
            return None
        name, others = _names(task, at)
        return _Task(name, others, at, _chosen(valid, at))
    except DataError as error:
        stated = task.get("data") if isinstance(task, dict) else task
        return faulty(_stated(stated), at, json.dumps(task), error)


def _names(task: _Row, at: str) -> tuple[str, tuple[str, ...]]:
    """What the image is called, and what else it may be called."""
    data, meta = task["data"], task.get("meta")
    stated = _stated(data)
    texts = [stated, stated.rpartition("?d=")[2], task.get("file_upload"), data.get("sample_id")]
    texts.append(meta.get("sample_id") if isinstance(meta, dict) else None)
    names = [image_name(text) for text in texts if isinstance(text, str) and text]
    for name in tuple(names):
        folder, slash, last = name.rpartition("/")
        names.append(f"{folder}{slash}{_PREFIX.sub('', last)}")
        names.append(_PREFIX.sub("", last))
    names = [name for name in dict.fromkeys(names) if name]
    if not names:
        raise DataError(f"data names no picture: {shown(data)}", where=at, hint='data: {"image": "name.png"}')
    return names[0], tuple(names[1:])


def _stated(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    texts = [
        value for key, value in sorted(data.items(), key=lambda pair: pair[0] != "image") if isinstance(value, str)
    ]
    return next((text for text in texts if _PICTURE.search(text)), texts[0] if texts else "")


def _chosen(rows: Sequence[_Row], at: str) -> _Said:
    """What a task says. Raises `DataError` where its annotations contradict each other."""
    marked = [row for row in rows if row.get("ground_truth")]
    said = [_annotation(row, at) for row in (marked or rows)]
    if any(one.meaning != said[0].meaning for one in said):
        hint = "mark one of them as ground truth, or delete the others"
        raise DataError(f"{len(said)} annotations say different things", where=at, hint=hint)
    return said[0]


def _annotation(row: _Row, at: str) -> _Said:
    results = row.get("result")
    if not isinstance(results, list):
        raise DataError(f"the result of an annotation is {shown(results)}", where=at, hint="a list; [] = shows nothing")
    found = _Said()
    for number, result in enumerate(results, start=1):
        place = f"{at}: result {number}"
        try:
            _add(found, result, place)
        except DataError as error:
            found.faults.append(error)
    return found


def _add(found: _Said, result: Any, at: str) -> None:
    if not isinstance(result, dict):
        raise DataError(f"{shown(result)} is no object", where=at, hint=_FORM)
    kind, value = result.get("type"), result.get("value")
    if kind not in (*_SHAPES, "choices"):
        found.skipped.append(f"{at}: {kind} is neither a box nor a class")
        return
    if not isinstance(value, dict):
        raise DataError(f"value is {shown(value)}", where=at, hint=_FORM)
    names = value.get(kind)
    if not isinstance(names, list) or len(names) != 1 or not isinstance(names[0], str) or not names[0].strip():
        raise DataError(f"{kind} is {shown(names)}", where=at, hint="one class")
    if result.get("image_rotation"):
        raise DataError("the image is turned there", where=at, hint="turn it back: boxes are of the image as it is")
    width, height = result.get("original_width"), result.get("original_height")
    if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
        found.size = (width, height)
    if kind == "choices":
        found.choices.append(names[0].strip())
    else:
        found.boxes.append((names[0].strip(), _corners(_SHAPES[kind], value, found.size, at), at))


def _corners(shape: str, value: _Row, size: tuple[int, int] | None, at: str) -> Corners:
    """The corners as fractions of width and height."""
    if shape == "polygon":
        points = value.get("points")
        if not isinstance(points, list) or not points or not all(isinstance(p, list) and len(p) == 2 for p in points):
            raise DataError(f"points are {shown(points)}", where=at, hint="[[x, y], ...] in percent")
        return around((_percent(x, "x", at), _percent(y, "y", at)) for x, y in points)
    degrees = 100 * _percent(value.get("rotation", 0), "rotation", at)
    x, y = _percent(value.get("x"), "x", at), _percent(value.get("y"), "y", at)
    if shape == "ellipse":
        rx, ry = _percent(value.get("radiusX"), "radiusX", at), _percent(value.get("radiusY"), "radiusY", at)
        corners, pivot = (x - rx, y - ry, x + rx, y + ry), (x, y)
    else:
        width, height = _percent(value.get("width"), "width", at), _percent(value.get("height"), "height", at)
        corners, pivot = (x, y, x + width, y + height), (x, y)
    if degrees % 360 == 0:
        return corners
    if size is None:
        raise DataError("it is turned, and no size is stated", where=at, hint="original_width and original_height")
    # Degrees are of the picture as it looks: in percent a turned box would be askew.
    w, h = size
    turned = turned_about(
        (corners[0] * w, corners[1] * h, corners[2] * w, corners[3] * h), degrees, (pivot[0] * w, pivot[1] * h)
    )
    return turned[0] / w, turned[1] / h, turned[2] / w, turned[3] / h


def _percent(value: Any, key: str, at: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{key} is {shown(value)}", where=at, hint="a number; values are percent of the image")
    return value / 100


def _item(one: _Task, classes: ClassNames) -> LabelItem:
    boxes, faults, label = [], list(one.said.faults), None
    for name, corners, at in one.said.boxes:
        number = classes.label(name)
        if number is None:
            faults.append(DataError(f"class {name!r} is not known", where=at, hint=classes.hint))
        else:
            boxes.append(RawBox(*corners, number, at=at))
    choices = sorted(set(one.said.choices))
    if len(choices) > 1:
        faults.append(DataError(f"{len(choices)} choices: {', '.join(choices)}", where=one.at, hint="one class"))
    elif choices:
        label = classes.label(choices[0])
        if label is None:
            faults.append(DataError(f"class {choices[0]!r} is not known", where=one.at, hint=classes.hint))
    labels = ImageLabels(
        tuple(boxes), label, size=one.said.size, relative=True, faults=tuple(faults), skipped=tuple(one.said.skipped)
    )
    return said(one.name, one.at, f"{one.name} {labels.identity}", labels, one.others)
