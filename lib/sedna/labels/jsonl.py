"""JSON lines of labels: an object a line. Key ``x`` names the image, ``y`` says what it shows.

    {"x": "a.png", "y": 2}
    {"x": "b.png", "y": [[10, 20, 42, 50, 0], [60, 20, 80, 44, "scratch"]]}
    {"x": "c.png", "y": []}
    {"x": "d.png", "state": "unlabelled"}

Labels are numbers or names. ``y`` may also be text as on a txt line. A line whose ``state`` is ``unlabelled`` or
``excluded`` says nothing about its image. Other keys are passed over.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sedna.common.errors import DataError
from sedna.labels.class_text import learn_names, quoted_class
from sedna.labels.classes import NO_CLASSES, ClassNames
from sedna.labels.rows import LABEL_FORM, UNSAID, FileRow, shown
from sedna.labels.source import as_text
from sedna.labels.txt import TxtLine, check_label, labels_said, parse_parts
from sedna.labels.validate import RawBox

__all__ = ["read_jsonl_rows"]

_FORM = f'a line is {{"x": "name.png", "y": ...}}; y: a label, a list of [x1, y1, x2, y2, label], or text: {LABEL_FORM}'
_BOX = 5


def read_jsonl_rows(data: bytes, where: str, classes: ClassNames = NO_CLASSES) -> Iterator[FileRow]:
    """The rows of a file, in its order; blank lines are passed over, and rows that say nothing about their image.

    Args:
        where: what messages call the file.
        classes: those that labels may name; open ones learn the names found, see `learn_names`.

    Raises:
        DataError: no UTF-8. A line that is wrong by itself has a ``fault``.
    """
    # split("\n") and not splitlines(): JSON text may hold other characters that Python takes for line ends.
    lines = as_text(data, where).split("\n")
    if classes.is_open:
        learn_names(classes, (said for text in lines for said in _labels_said(text)))
    for number, text in enumerate(lines, start=1):
        if text.strip():
            try:
                line = _line(text, classes, f"{where}: line {number}")
            except DataError as error:
                yield FileRow(number, text.strip(), fault=error)
                continue
            if line is not None:
                yield FileRow(number, text.strip(), line=line)


def _labels_said(text: str) -> Iterator[str]:
    """The labels of a line; none of one that is wrong, whose fault is told when it is read."""
    try:
        row = json.loads(text) if text.strip() else None
    except (ValueError, RecursionError):
        return
    match row.get("y") if isinstance(row, dict) and row.get("state") not in UNSAID else None:
        case str(said):
            yield from labels_said(said.split())
        case bool() | None:
            return
        case int(label):
            yield str(label)
        case list(boxes):
            for box in boxes:
                match box:
                    case [_, _, _, _, str(name)]:
                        yield quoted_class(name)  # here a name stands as it is, also one that looks like a number
                    case [_, _, _, _, int(label)]:
                        yield str(label)


def _line(text: str, classes: ClassNames, at: str) -> TxtLine | None:
    """None where the line says nothing about its image."""
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:  # the parser follows nested brackets with Python's stack
        raise DataError(f"this is no JSON: {error}", where=at, hint=_FORM) from error
    if not isinstance(row, dict):
        raise DataError(f"a {type(row).__name__} is no sample", where=at, hint=_FORM)
    name = row.get("x")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"x is {shown(name)}" if "x" in row else "there is no key x", where=at, hint=_FORM)
    if row.get("state") in UNSAID:
        return None
    if "y" not in row:
        raise DataError("there is no key y", where=at, hint=f"{_FORM}; [] for an image that shows nothing")
    return _labelled(name.strip(), row["y"], classes, at)


def _labelled(name: str, label: Any, classes: ClassNames, at: str) -> TxtLine:
    if isinstance(label, str):
        return parse_parts(name, label.split(), at, classes)
    # True is an int to Python; nobody means class 1 by it.
    if isinstance(label, int) and not isinstance(label, bool):
        return TxtLine(name, label=check_label(label, at))
    if isinstance(label, list):
        return _boxes(name, label, classes, at)
    raise DataError(f"y is {shown(label)}", where=at, hint=_FORM)


def _boxes(name: str, label: list[Any], classes: ClassNames, at: str) -> TxtLine:
    """One that is no box is a fault of the line, where there are boxes beside it."""
    boxes, faults = [], []
    for number, box in enumerate(label, start=1):
        try:
            boxes.append(replace(_box(box, classes, at), at=f"{at}: box {number}"))
        except DataError as error:
            faults.append(error)
    if faults and not boxes:
        raise faults[0]
    return TxtLine(name, tuple(boxes), faults=tuple(faults))


def _box(box: Any, classes: ClassNames, at: str) -> RawBox:
    if not isinstance(box, list) or len(box) != _BOX or not all(_is_number(value) for value in box[:4]):
        raise DataError(f"{shown(box)} is no box", where=at, hint=_FORM)
    said = box[4]
    label = classes.label(said) if isinstance(said, str) else said
    if label is None:
        raise DataError(f"class {shown(said)} is not known", where=at, hint=classes.hint)
    if not isinstance(label, int) or isinstance(label, bool):
        raise DataError(f"{shown(box)} is no box", where=at, hint=_FORM)
    try:
        x1, y1, x2, y2 = (float(value) for value in box[:4])
    except OverflowError as error:
        raise DataError(f"{shown(box)} holds a number that no image has", where=at, hint=_FORM) from error
    return RawBox(x1, y1, x2, y2, check_label(label, at))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
