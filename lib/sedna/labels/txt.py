"""The txt index of upstream Sedna: a line per image, ``img.jpg x1,y1,x2,y2,label x1,y1,x2,y2,label ...``.

Whole pixels, x2 and y2 exclusive, label = position in the class list, or the name of a class (`class_text`).
``img.jpg 3`` is a whole-image label, ``img.jpg`` alone an image that shows nothing. Names of images cannot hold white
space, for it separates.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sedna.common.errors import DataError
from sedna.common.types import MAX_LABEL, Annotation, Box
from sedna.labels.class_text import learn_names, named_class
from sedna.labels.classes import NO_CLASSES, ClassNames
from sedna.labels.items import ImageLabels, LabelItem, digest
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.source import as_text, label_set, labelled_image, read_source
from sedna.labels.validate import BoxCheck, LabelReport, LabelsRead, Mode, RawBox

__all__ = [
    "TxtLine",
    "check_label",
    "format_line",
    "labels_said",
    "parse_line",
    "parse_parts",
    "read_txt",
    "txt_items",
    "write_txt",
]

MAX_BYTES = 1 << 28

_BOX_VALUES = 5
_FORM = "a line is: name, then boxes x1,y1,x2,y2,label without inner spaces, or one whole-image label"


@dataclass(frozen=True)
class TxtLine:
    """One line as it stands: nothing is checked against the image or the class list yet."""

    file_name: str
    boxes: tuple[RawBox, ...] = ()
    label: int | None = None
    faults: tuple[DataError, ...] = field(default=(), repr=False)

    @property
    def labels(self) -> ImageLabels:
        """What it says of its image."""
        return ImageLabels(self.boxes, self.label, faults=self.faults)


def parse_line(line: str, where: str) -> TxtLine:
    """Take a line apart, whose labels are numbers. Coordinates may have a fraction.

    Raises:
        DataError: a part is neither a box nor, alone, a label.
    """
    if not line.strip():
        raise DataError("the line is blank", where=where, hint=_FORM)
    name, *parts = line.split()
    found = parse_parts(name, parts, where)
    for fault in found.faults:
        raise fault
    return found


def parse_parts(name: str, parts: Sequence[str], where: str, classes: ClassNames = NO_CLASSES) -> TxtLine:
    """What follows the name on a line, already split: boxes, or one label, or nothing.

    A part that is no box is among the line's faults, where there are boxes beside it.

    Raises:
        DataError: no part is a box, nor, alone, a label.
    """
    # A lone number is a whole-image label. Upstream writes both kinds of line without saying which it is.
    if len(parts) == 1 and "," not in parts[0]:
        return TxtLine(name, label=_label(parts[0], parts[0], where, classes))
    # A class of several words: only one that is known, for boxes whose commas were lost look the same.
    if parts and (label := classes.label(" ".join(parts))) is not None:
        return TxtLine(name, label=label)
    boxes, faults = [], []
    for part in parts:
        try:
            boxes.append(_box(part, where, classes))
        except DataError as error:
            faults.append(error)
    if faults and not boxes:
        raise faults[0]
    return TxtLine(name, tuple(boxes), faults=tuple(faults))


def labels_said(parts: Sequence[str]) -> Iterator[str]:
    """The texts that stand for labels in what follows the name on a line."""
    if parts and not any("," in part for part in parts):
        yield " ".join(parts)
        return
    for part in parts:
        if part.count(",") == _BOX_VALUES - 1:
            yield part.rpartition(",")[2]


def _box(part: str, where: str, classes: ClassNames) -> RawBox:
    values = part.split(",")
    if len(values) != _BOX_VALUES:
        raise DataError(f"{part!r} is no box", where=where, hint=_FORM)
    # Fractions are read although upstream writes none: tools that convert to txt do.
    x1, y1, x2, y2 = (_decimal(value, part, where) for value in values[:4])
    return RawBox(x1, y1, x2, y2, _label(values[4], part, where, classes), at=f"{where}: box {part}")


def format_line(file_name: str, annotation: Annotation) -> str:
    """A line without its end. Coordinates are rounded to whole pixels; a box keeps at least one.

    Raises:
        DataError: the name holds white space, or the annotation has both boxes and a whole-image label.
    """
    if not file_name or len(file_name.split()) != 1 or file_name != file_name.strip():
        raise DataError("the name holds white space", where=repr(file_name), hint="txt lines are split at white space")
    if annotation.label is not None:
        if annotation.boxes:
            raise DataError("boxes and a whole-image label", where=file_name, hint="a txt line holds one or the other")
        return f"{file_name} {annotation.label}"
    return " ".join([file_name, *(_format_box(box) for box in annotation.boxes)])


def read_txt(
    source: bytes | Path,
    *,
    class_names: Sequence[str],
    size_of: Callable[[str], tuple[int, int]],
    mode: Mode = "strict",
    max_bytes: int = MAX_BYTES,
) -> LabelsRead:
    """Read a txt index. Blank lines are passed over.

    Args:
        size_of: (width, height) of an image by its name in the file; the format does not tell them.
        mode: see `sedna.labels.validate.Mode`.

    Raises:
        DataError: a malformed line, an impossible box, an unknown class, an image listed twice.
        TooLargeError, NotFoundError: see `read_source`.
    """
    data, where = read_source(source, max_bytes, "txt index")
    check = BoxCheck(mode, tuple(class_names))
    items: list[LabelledImage] = []
    for number, text in enumerate(as_text(data, where).splitlines(), start=1):
        if not text.strip():
            continue
        at = f"{where}: line {number}"
        line = parse_line(text, at)
        # Asked once a line: it may open the image.
        width, height = size_of(line.file_name)
        annotation = Annotation(
            boxes=check.boxes(line.file_name, width, height, line.boxes),
            label=None if line.label is None else check.label(line.file_name, line.label),
        )
        items.append(labelled_image(at, file_name=line.file_name, width=width, height=height, annotation=annotation))
    return LabelsRead(labels=label_set(where, class_names, items), report=LabelReport(clipped=tuple(check.clipped)))


def txt_items(data: bytes, classes: ClassNames, where: str) -> Iterator[LabelItem]:
    """The lines of an index as items, in its order; blank ones are passed over.

    Args:
        classes: those that labels may name; open ones learn the names found, see `learn_names`.

    Raises:
        DataError: no UTF-8. What is wrong with one line is the fault of its item.
    """
    lines = as_text(data, where).splitlines()
    learn_names(classes, (said for text in lines for said in labels_said(text.split()[1:])))
    for number, text in enumerate(lines, start=1):
        if text.strip():
            at = f"{where}: line {number}"
            # Taken apart when it is used: of a file that has grown, most lines are known by their text.
            read = functools.partial(_image_labels, text, at, classes)
            yield LabelItem(text.split()[0], at, digest(text.strip()), read)


def _image_labels(text: str, where: str, classes: ClassNames) -> ImageLabels:
    name, *parts = text.split()
    return parse_parts(name, parts, where, classes).labels


def write_txt(labels: LabelSet) -> bytes:
    """The labels as a txt index; sizes, class names, scores and fractions of pixels are not kept.

    Raises:
        DataError: as `format_line`.
    """
    return "".join(f"{format_line(item.file_name, item.annotation)}\n" for item in labels.items).encode()


def _format_box(box: Box) -> str:
    x1, x2 = _whole(box.x1, box.x2)
    y1, y2 = _whole(box.y1, box.y2)
    return f"{x1},{y1},{x2},{y2},{box.label}"


def _whole(low: float, high: float) -> tuple[int, int]:
    """The nearest whole pixels; where they coincide, the pixel that holds ``low``: it is inside the image."""
    # To the nearest: down for both corners would move every box by half a pixel on average.
    first, last = round(low), round(high)
    return (first, last) if last > first else (math.floor(low), math.floor(low) + 1)


def _decimal(text: str, part: str, where: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"{part!r} has no number {text!r}", where=where, hint=_FORM) from error


def _label(text: str, part: str, where: str, classes: ClassNames) -> int:
    try:
        label = int(text)
    except ValueError as error:
        named = named_class(text, classes)
        if named is not None:
            return named
        if classes.names:
            message = f"{part!r} names {text!r}, which is no class of the job and no whole number"
            raise DataError(message, where=where, hint=classes.hint) from error
        raise DataError(f"{part!r} has no whole number {text!r} for a label", where=where, hint=_FORM) from error
    return check_label(label, where)


def check_label(label: int, where: str) -> int:
    """``label``, if it can be a class number at all; else `DataError`. The class list is checked elsewhere."""
    if not -MAX_LABEL <= label <= MAX_LABEL:  # a negative one is an unknown class, as any that the list has not
        shown = str(label) if abs(label) < 10**20 else "a number of more than 20 digits"
        raise DataError(f"label {shown} is too large", where=where, hint=f"at most {MAX_LABEL}")
    return label
