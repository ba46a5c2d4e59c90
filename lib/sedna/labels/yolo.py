"""YOLO labels: a text file per image, a line per box, ``class cx cy w h`` in fractions of the image's width and height.

Source: https://docs.ultralytics.com/datasets/detect/. Four other kinds of line are read as well: a sixth value is the
confidence of a prediction; an outline ``class x1 y1 x2 y2 ...`` (segmentation, rotated boxes) of three points or more
becomes the box around it; one value more after an outline is its confidence; and where ``data.yaml`` states
``kpt_shape``, key points after the box are passed over. An empty file says that its image shows nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import yaml

from sedna.common.errors import DataError
from sedna.common.types import Box
from sedna.labels.classes import ClassNames
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.layout import stem, with_part
from sedna.labels.source import as_text
from sedna.labels.txt import check_label
from sedna.labels.validate import RawBox

__all__ = ["YoloClasses", "parse_yolo", "write_yolo", "yolo_description", "yolo_file", "yolo_lines"]

_FORM = "a line is: class cx cy w h, the centre and size of a box in fractions of the image, from 0 to 1"
_BOX = 5
_SLACK = 0.01
"""By so much a fraction may lie outside 0 to 1: predictions reach over the edge. What is far outside is pixels."""


@dataclass(frozen=True)
class YoloClasses:
    """Which label of the job a class number of the files stands for.

    Attributes:
        names: of the file's classes by their numbers; empty where no file states them: numbers are labels then.
        wanted: the job's classes; without any, numbers are labels.
    """

    names: Mapping[int, str]
    wanted: ClassNames = field(default_factory=ClassNames)

    def label(self, number: int, where: str) -> int:
        """The label of a class number. Raises `DataError` for one that has none."""
        if not self.names:
            return check_label(number, where)
        name = self.names.get(number)
        if name is None:
            known = ", ".join(f"{key} {text}" for key, text in list(self.names.items())[:20])
            raise DataError(f"class {number} has no name", where=where, hint=f"the classes of the files: {known}")
        if not self.wanted.names:
            return check_label(number, where)
        label = self.wanted.label(name)
        if label is None:
            raise DataError(f"class {number}, {name!r}, is not known", where=where, hint=self.wanted.hint)
        return label


def parse_yolo(data: bytes, classes: YoloClasses, where: str, keypoint_values: int = 0) -> tuple[RawBox, ...]:
    """The boxes of one label file, in fractions of the image, where every line is right.

    Args:
        keypoint_values: number of key point values after each box; 0 = none.

    Raises:
        DataError: no text, or a line that is none of YOLO's.
    """
    boxes, faults = yolo_lines(data, classes, where, keypoint_values)
    for fault in faults:
        raise fault
    return boxes


def yolo_lines(
    data: bytes, classes: YoloClasses, where: str, keypoint_values: int = 0
) -> tuple[tuple[RawBox, ...], tuple[DataError, ...]]:
    """The boxes of one label file, and what is wrong with its other lines; see `parse_yolo`.

    Raises:
        DataError: no text.
    """
    boxes, faults = [], []
    for number, text in enumerate(as_text(data, where).splitlines(), start=1):
        if text.strip():
            at = f"{where}: line {number}"
            try:
                boxes.append(replace(_box(text.split(), classes, at, keypoint_values), at=at))
            except DataError as error:
                faults.append(error)
    return tuple(boxes), tuple(faults)


def _box(words: Sequence[str], classes: YoloClasses, at: str, keypoint_values: int) -> RawBox:
    number = _number(words[0], at)
    if not number.is_integer():
        raise DataError(f"class {words[0]!r} is no whole number", where=at, hint=_FORM)
    values = [_number(word, at) for word in words[1:]]
    label = classes.label(int(number), at)
    # The number of values is the only mark of a line's kind. Key points come first: with them a box has as many values
    # as an outline.
    if keypoint_values and len(words) in (_BOX + keypoint_values, _BOX + keypoint_values + 1):
        del values[4 : 4 + keypoint_values]  # a confidence may follow
    if len(values) in (4, 5):
        cx, cy, width, height = _fractions(values[:4], at)
        score = values[4] if len(values) == 5 else None
        return RawBox(cx - width / 2, cy - height / 2, cx + width / 2, cy + height / 2, label, score)
    if len(values) < 6:
        raise DataError(f"{len(values)} values after the class", where=at, hint=_FORM)
    score = values.pop() if len(values) % 2 else None  # points come in pairs
    xs, ys = _fractions(values[::2], at), _fractions(values[1::2], at)
    return RawBox(min(xs), min(ys), max(xs), max(ys), label, score)


def _number(word: str, at: str) -> float:
    try:
        value = float(word)
    except ValueError as error:
        raise DataError(f"{word!r} is no number", where=at, hint=_FORM) from error
    if not math.isfinite(value):
        raise DataError(f"{word!r} is no finite number", where=at, hint=_FORM)
    return value


def _fractions(values: Sequence[float], at: str) -> Sequence[float]:
    for value in values:
        if not -_SLACK <= value <= 1 + _SLACK:
            raise DataError(f"{value:g} is no fraction of the image", where=at, hint=f"{_FORM}; divide pixels by them")
    return values


def write_yolo(labels: LabelSet) -> Iterator[tuple[str, bytes]]:
    """The labels as YOLO files: (name, content), first ``data.yaml`` with the class names, then one per image.

    Image sizes are not kept. Scores are, as predictions have them.

    Raises:
        DataError: whole-image labels, which YOLO's detection files have not; two images would have one
            file.
    """
    yield "data.yaml", yolo_description(labels.class_names, {"path": ".", "train": "images", "val": "images"})
    seen: set[str] = set()
    for item in labels.items:
        name = f"{_label_stem(item.file_name)}.txt"
        if name in seen:
            raise DataError(f"two images need the file {name!r}", where=item.file_name, hint="rename one of them")
        seen.add(name)
        yield name, yolo_file(item)


def yolo_description(class_names: Sequence[str], splits: Mapping[str, str]) -> bytes:
    """A ``data.yaml``. Without a ``path`` the folders of the splits are those beside the file."""
    described = {**splits, "names": dict(enumerate(class_names))}
    return yaml.safe_dump(described, allow_unicode=True, sort_keys=False).encode()


def yolo_file(item: LabelledImage) -> bytes:
    """The label file of one image. Raises `DataError` for a label of the whole image."""
    if item.annotation.label is not None:
        hint = "write classification labels as txt"
        raise DataError("YOLO has no whole-image labels", where=item.file_name, hint=hint)
    return "".join(f"{_line(box, item)}\n" for box in item.annotation.boxes).encode()


def _label_stem(image: str) -> str:
    path = stem(image)
    return with_part(path, "images", "labels") if "images" in PurePosixPath(path).parts else f"labels/{path}"


def _line(box: Box, item: LabelledImage) -> str:
    values = [
        (box.x1 + box.x2) / 2 / item.width,
        (box.y1 + box.y2) / 2 / item.height,
        (box.x2 - box.x1) / item.width,
        (box.y2 - box.y1) / item.height,
    ]
    return " ".join(
        [str(box.label), *(f"{value:.12g}" for value in values + ([] if box.score is None else [box.score]))]
    )
