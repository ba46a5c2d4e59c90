"""The check of boxes that all formats share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from sedna.common.errors import DataError
from sedna.common.types import Box, Value
from sedna.labels.labelset import LabelledImage, LabelSet

__all__ = ["BoxCheck", "Clipped", "LabelReport", "LabelsRead", "Mode", "RawBox", "Skipped", "validate"]

Mode = Literal["strict", "clip"]
"""How a box is treated that reaches out of its image or has no area: as an error, or cut to the part inside."""

SMALLEST = 1.0
"""Pixels of the shorter side: what is thinner shows nothing, and is a slip or another unit."""

_TOLERANCE = 1e-3
"""Pixels by which a box may reach out without a report: x + width of a COCO file is often 640.0000001."""


@dataclass(frozen=True)
class RawBox:
    """A box as a file has it, in absolute pixels, x2 and y2 exclusive, before it is checked.

    ``at``: what messages call it, such as the id of an annotation; "" = its number in the image. It is no part of what
    the box says.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    label: int
    score: float | None = None
    at: str = field(default="", repr=False, compare=False)

    @classmethod
    def of(cls, box: Box) -> Self:
        """A checked box, to be checked again."""
        return cls(box.x1, box.y1, box.x2, box.y2, box.label, box.score)


class Clipped(Value):
    """A box that ``clip`` mode changed. ``box`` counts from 1 in the order of the file; ``after`` None = dropped."""

    image: str
    box: int
    before: tuple[float, float, float, float]
    after: tuple[float, float, float, float] | None


class Skipped(Value):
    """Something that was left out on purpose."""

    image: str
    what: str
    reason: str


class LabelReport(Value):
    """What a reader changed or left out; empty = the labels are what the file says."""

    clipped: tuple[Clipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()


class LabelsRead(Value):
    """What a reader returns."""

    labels: LabelSet
    report: LabelReport = LabelReport()


class BoxCheck:
    """Checks the boxes of one label set, image by image, and remembers what it clipped."""

    def __init__(self, mode: Mode, class_names: tuple[str, ...]) -> None:
        self._mode = mode
        self._class_names = class_names
        self.clipped: list[Clipped] = []
        self.dropped: list[DataError] = []
        """Why, of each box that was dropped."""

    def each(self, image: str, width: int, height: int, raw: Iterable[RawBox]) -> tuple[Box | None, ...]:
        """The boxes of one image, one for one; None = dropped.

        Raises:
            DataError: a coordinate or score is no finite number; the class is unknown; in strict mode also a box
                that reaches out of the image, has no area, or is thinner than a pixel, and coordinates that are
                fractions. Names image, box number, value, what would be allowed.
        """
        boxes = list(raw)
        fault = fractions_fault(image, (width, height), boxes)
        if fault is not None and self._mode == "strict":
            raise fault
        return tuple(self.one(image, number, width, height, box) for number, box in enumerate(boxes, start=1))

    def boxes(self, image: str, width: int, height: int, raw: Iterable[RawBox]) -> tuple[Box, ...]:
        """The boxes of one image that may stay; raises as `each`."""
        return tuple(box for box in self.each(image, width, height, raw) if box is not None)

    def label(self, image: str, label: int) -> int:
        """A whole-image label that the class list has, else `DataError`."""
        if not 0 <= label < len(self._class_names):
            raise DataError(f"class {label} is not known", where=image, hint=self._known_classes())
        return label

    def _known_classes(self) -> str:
        if not self._class_names:
            return "the class list is empty"
        return f"allowed are 0 to {len(self._class_names) - 1}: {', '.join(self._class_names[:20])}"

    def one(self, image: str, number: int, width: int, height: int, raw: RawBox) -> Box | None:
        """One box, by its number in the image; None = dropped. Raises as `each`."""
        where = raw.at or f"{image}: box {number}"
        corners = (raw.x1, raw.y1, raw.x2, raw.y2)
        self._check_values(where, corners, raw)
        inside = (
            min(max(raw.x1, 0.0), float(width)),
            min(max(raw.y1, 0.0), float(height)),
            min(max(raw.x2, 0.0), float(width)),
            min(max(raw.y2, 0.0), float(height)),
        )
        fault = _shape_fault(where, corners, inside, (width, height))
        reaches_out = max(abs(a - b) for a, b in zip(corners, inside, strict=True)) > _TOLERANCE
        if self._mode == "strict":
            # About what the file says, not about the box after it was cut.
            if fault is not None:
                raise fault
            if reaches_out:
                raise _outside(where, corners, inside, (width, height))
        elif fault is not None or reaches_out:
            after = inside if fault is None else None
            self.clipped.append(Clipped(image=image, box=number, before=corners, after=after))
        if fault is not None:
            self.dropped.append(fault)
            return None
        return Box(x1=inside[0], y1=inside[1], x2=inside[2], y2=inside[3], label=raw.label, score=raw.score)

    def _check_values(self, where: str, corners: tuple[float, ...], raw: RawBox) -> None:
        for name, value in zip(("x1", "y1", "x2", "y2"), corners, strict=True):
            # Before any comparison, which is false for NaN.
            if not math.isfinite(value):
                raise DataError(f"{name} is {value}", where=where, hint="coordinates are finite numbers of pixels")
        if not 0 <= raw.label < len(self._class_names):
            raise DataError(f"class {raw.label} is not known", where=where, hint=self._known_classes())
        if raw.score is not None and not 0 <= raw.score <= 1:
            raise DataError(f"score is {raw.score}", where=where, hint="a score lies between 0 and 1")


def fractions_fault(image: str, size: tuple[int, int], boxes: Sequence[RawBox]) -> DataError | None:
    """That all coordinates of an image lie between 0 and 1, where pixels are wanted; None = they are pixels."""
    values = [value for box in boxes for value in (box.x1, box.y1, box.x2, box.y2)]
    # In an image of one pixel the two are the same.
    if not values or max(size) <= 1 or not all(0 <= value <= 1 for value in values):
        return None
    return DataError(
        "all coordinates lie between 0 and 1: they are fractions of the image, and pixels are wanted",
        where=image,
        hint=f"multiply x by the width of {size[0]} and y by the height of {size[1]}, or export as YOLO",
    )


def _is_inverted(corners: tuple[float, ...]) -> bool:
    return corners[2] <= corners[0] or corners[3] <= corners[1]


def _shape_fault(
    where: str, corners: tuple[float, ...], inside: tuple[float, ...], size: tuple[int, int]
) -> DataError | None:
    """Why nothing of a box can be used; None = it can, once it is cut at the edge."""
    shown = f"[{', '.join(f'{value:g}' for value in corners)}]"
    width, height = corners[2] - corners[0], corners[3] - corners[1]
    if _is_inverted(corners):
        hint = "x2 exceeds x1, y2 exceeds y1; of x, y, width, height the last two are positive"
        return DataError(f"{shown} is {width:g} wide and {height:g} high and has no area", where=where, hint=hint)
    least = SMALLEST - _TOLERANCE
    if width < least or height < least:
        hint = "a box has one pixel at least; are these fractions?"
        return DataError(f"{shown} is thinner than one pixel: {width:g} x {height:g}", where=where, hint=hint)
    if inside[2] - inside[0] < least or inside[3] - inside[1] < least:
        hint = f"the image has {size[0]} x {size[1]} pixels; are these corners of another image, or of another size?"
        return DataError(f"{shown} has no area inside the image", where=where, hint=hint)
    return None


def _outside(where: str, corners: tuple[float, ...], inside: tuple[float, ...], size: tuple[int, int]) -> DataError:
    # By corner: the message names the one coordinate that is wrong.
    corner = zip(("x1", "y1", "x2", "y2"), corners, inside, size * 2, strict=True)
    name, found, limit = next((n, f, most) for n, f, a, most in corner if abs(f - a) > _TOLERANCE)
    hint = f"allowed are 0 to {limit} in this image of {size[0]} x {size[1]}; an import with --clip cuts such boxes"
    return DataError(f"{name} is {found}, outside the image", where=where, hint=hint)


def validate(labels: LabelSet, mode: Mode = "strict") -> LabelsRead:
    """Check every box of ``labels`` against its image; in clip mode cut or drop, and report, what reaches out.

    Raises:
        DataError: as `BoxCheck.each`.
    """
    check = BoxCheck(mode, labels.class_names)
    items = []
    for item in labels.items:
        raw = [RawBox.of(box) for box in item.annotation.boxes]
        boxes = check.boxes(item.file_name, item.width, item.height, raw)
        annotation = item.annotation.model_copy(update={"boxes": boxes})
        items.append(LabelledImage(**{**dict(item), "annotation": annotation}))
    return LabelsRead(
        labels=LabelSet(class_names=labels.class_names, items=tuple(items)),
        report=LabelReport(clipped=tuple(check.clipped)),
    )
