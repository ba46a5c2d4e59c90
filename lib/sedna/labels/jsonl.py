"""JSON lines of labels: an object a line. Key ``x`` names the image, ``y`` says what it shows; others are passed over.

    {"x": "a.png", "y": 2}
    {"x": "b.png", "y": [[10, 20, 42, 50, 0], [60, 20, 80, 44, 1]]}
    {"x": "c.png", "y": []}

``y`` may also be text as on a txt line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sedna.common.errors import DataError
from sedna.labels.rows import LABEL_FORM, FileRow, shown
from sedna.labels.source import as_text
from sedna.labels.txt import TxtLine, check_label, parse_parts
from sedna.labels.validate import RawBox

__all__ = ["read_jsonl_rows"]

_FORM = f'a line is {{"x": "name.png", "y": ...}}; y: a label, a list of [x1, y1, x2, y2, label], or text: {LABEL_FORM}'
_BOX = 5


def read_jsonl_rows(data: bytes, where: str) -> Iterator[FileRow]:
    """The rows of a file, in its order; blank lines are passed over.

    Args:
        where: what messages call the file.

    Raises:
        DataError: no UTF-8. A line that is wrong by itself has a ``fault``.
    """
    # split("\n") and not splitlines(): JSON text may hold other characters that Python takes for line ends.
    for number, text in enumerate(as_text(data, where).split("\n"), start=1):
        if text.strip():
            try:
                yield FileRow(number, text.strip(), line=_line(text, f"{where}: line {number}"))
            except DataError as error:
                yield FileRow(number, text.strip(), fault=error)


def _line(text: str, at: str) -> TxtLine:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError) as error:  # the parser follows nested brackets with Python's stack
        raise DataError(f"this is no JSON: {error}", where=at, hint=_FORM) from error
    if not isinstance(row, dict):
        raise DataError(f"a {type(row).__name__} is no sample", where=at, hint=_FORM)
    name = row.get("x")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"x is {shown(name)}" if "x" in row else "there is no key x", where=at, hint=_FORM)
    if "y" not in row:
        raise DataError("there is no key y", where=at, hint=f"{_FORM}; [] for an image that shows nothing")
    return _labelled(name.strip(), row["y"], at)


def _labelled(name: str, label: Any, at: str) -> TxtLine:
    if isinstance(label, str):
        return parse_parts(name, label.split(), at)
    # True is an int to Python; nobody means class 1 by it.
    if isinstance(label, int) and not isinstance(label, bool):
        return TxtLine(name, label=check_label(label, at))
    if isinstance(label, list):
        return _boxes(name, label, at)
    raise DataError(f"y is {shown(label)}", where=at, hint=_FORM)


def _boxes(name: str, label: list[Any], at: str) -> TxtLine:
    """One that is no box is a fault of the line, where there are boxes beside it."""
    boxes, faults = [], []
    for number, box in enumerate(label, start=1):
        try:
            boxes.append(replace(_box(box, at), at=f"{at}: box {number}"))
        except DataError as error:
            faults.append(error)
    if faults and not boxes:
        raise faults[0]
    return TxtLine(name, tuple(boxes), faults=tuple(faults))


def _box(box: Any, at: str) -> RawBox:
    numbers = isinstance(box, list) and all(isinstance(n, int | float) and not isinstance(n, bool) for n in box)
    if not numbers or len(box) != _BOX or not isinstance(box[4], int):
        raise DataError(f"{shown(box)} is no box", where=at, hint=_FORM)
    try:
        x1, y1, x2, y2 = (float(value) for value in box[:4])
    except OverflowError as error:
        raise DataError(f"{shown(box)} holds a number that no image has", where=at, hint=_FORM) from error
    return RawBox(x1, y1, x2, y2, check_label(box[4], at))
