"""CSV tables and JSON lines out of labels: a row a picture, also for those of which nothing is said.

No cell of a table begins with what a spreadsheet would compute: names of pictures stand behind their folder, names of
classes are quoted (`sedna.labels.class_text`).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from sedna.common.types import Annotation
from sedna.labels.class_text import quoted_class
from sedna.labels.export.base import ExportFile, LabelExport, Pictured, class_name

__all__ = ["FOLDER", "csv_files", "jsonl_files", "jsonl_row"]

FOLDER = "images"
"""Where the pictures lie, beside the file."""

_COLUMNS = ("x", "y", "state", "part", "width", "height")


def csv_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``labels.csv``, with a byte order mark: without it Excel takes UTF-8 for another encoding."""
    yield ExportFile("labels.csv", _csv(labels))


def jsonl_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``labels.jsonl``."""
    yield ExportFile("labels.jsonl", _jsonl(labels))


def jsonl_row(name: str, annotation: Annotation, class_names: Sequence[str] = ()) -> dict[str, object]:
    """A picture and what it shows as `sedna.labels.jsonl` reads it; without names labels are numbers."""
    if annotation.label is not None:
        named = annotation.label < len(class_names)
        label = quoted_class(class_names[annotation.label]) if named else annotation.label
        return {"x": name, "y": label}
    boxes = [
        [box.x1, box.y1, box.x2, box.y2, class_names[box.label] if box.label < len(class_names) else box.label]
        for box in annotation.boxes
    ]
    return {"x": name, "y": boxes}


def _csv(labels: LabelExport) -> Iterator[bytes]:
    yield b"\xef\xbb\xbf" + _line(_COLUMNS)
    for one in labels.pictures():
        shows = _text(one.annotation, labels.class_names) if one.annotation and one.state.is_said else ""
        yield _line((f"{FOLDER}/{one.name}", shows, one.state, one.part or "", one.width, one.height))


def _line(values: Sequence[object]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerow(values)
    return out.getvalue().encode()


def _text(annotation: Annotation, class_names: Sequence[str]) -> str:
    if annotation.label is not None:
        return _word(annotation.label, class_names)
    return " ".join(
        ",".join([*map(_number, (box.x1, box.y1, box.x2, box.y2)), _word(box.label, class_names)])
        for box in annotation.boxes
    )


def _word(label: int, class_names: Sequence[str]) -> str:
    return quoted_class(class_name(class_names, label)) if label < len(class_names) else str(label)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _jsonl(labels: LabelExport) -> Iterator[bytes]:
    for one in labels.pictures():
        yield json.dumps(_row(one, labels.class_names), ensure_ascii=False).encode() + b"\n"


def _row(one: Pictured, class_names: Sequence[str]) -> dict[str, object]:
    name = f"{FOLDER}/{one.name}"
    row = jsonl_row(name, one.annotation, class_names) if one.annotation and one.state.is_said else {"x": name}
    return {**row, "state": one.state, "part": one.part, "width": one.width, "height": one.height}
