"""What label files of every format are read into: an item per image, checked once the size of the image is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from sedna.common.errors import DataError, UserError
from sedna.common.orientation import UPRIGHT, turned_box, turned_size
from sedna.common.types import Annotation
from sedna.labels.validate import BoxCheck, Mode, RawBox

__all__ = ["ImageLabels", "LabelItem", "digest", "faulty", "nameable", "said"]

_SNAP = 1e-5
"""Share of the image by which a relative corner may lie outside: tools round to six decimals."""


@dataclass(frozen=True)
class ImageLabels:
    """The labels of one image, before the image was opened.

    Attributes:
        boxes: in pixels; where ``relative`` is set, in fractions of width and height.
        label: of the whole image; None for detection.
        size: (width, height) as stated; None where the format states none.
    """

    boxes: tuple[RawBox, ...] = ()
    label: int | None = None
    size: tuple[int, int] | None = None
    relative: bool = False

    def annotation(
        self,
        size: tuple[int, int],
        class_names: tuple[str, ...],
        *,
        where: str,
        mode: Mode = "strict",
        orientation: int = UPRIGHT,
    ) -> tuple[Annotation, int]:
        """The annotation of an image of this size, and how many boxes were cut or dropped (only in ``clip`` mode).

        Args:
            size: (width, height) of the image as it is seen.
            class_names: empty = every label is possible: upstream's jobs name no classes.
            orientation: the EXIF orientation by which it was turned; labels that mean the unturned image, see
                `is_unturned`, are turned with it.

        Raises:
            DataError: the stated size is another one, a box is impossible, or a class is unknown.
        """
        if self.is_unturned(size, orientation):
            return self._turned(orientation).annotation(size, class_names, where=where, mode=mode)
        if self.size is not None and self.size != size:
            raise DataError(
                f"the file says the image is {self.size[0]} x {self.size[1]}, it is {size[0]} x {size[1]}",
                where=where,
                hint="its boxes would be in the wrong places",
            )
        check = BoxCheck(mode, class_names or self._numbers())
        boxes = [_in_pixels(box, size) for box in self.boxes] if self.relative else self.boxes
        # Checked in pixels, after the scaling: the limits of all formats are the same then.
        kept = check.boxes(where, *size, boxes)
        label = None if self.label is None else check.label(where, self.label)
        return Annotation(boxes=kept, label=label), len(check.clipped)

    def is_unturned(self, size: tuple[int, int], orientation: int) -> bool:
        """Whether the stated size says that the labels are of the image as it lies in its file, not as it is seen."""
        return self.size is not None and self.size == turned_size(size, orientation) != size

    def _turned(self, orientation: int) -> ImageLabels:
        assert self.size is not None, "without a stated size nothing is known to be unturned"
        size = (1, 1) if self.relative else self.size
        boxes = []
        for box in self.boxes:
            x1, y1, x2, y2 = turned_box((box.x1, box.y1, box.x2, box.y2), size, orientation)
            boxes.append(replace(box, x1=x1, y1=y1, x2=x2, y2=y2))
        return replace(self, boxes=tuple(boxes), size=turned_size(self.size, orientation))

    def _numbers(self) -> tuple[str, ...]:
        labels = [box.label for box in self.boxes] + ([] if self.label is None else [self.label])
        return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def _in_pixels(box: RawBox, size: tuple[int, int]) -> RawBox:
    def scaled(fraction: float, length: int) -> float:
        if -_SNAP <= fraction <= 1 + _SNAP:
            fraction = min(max(fraction, 0.0), 1.0)
        return fraction * length

    width, height = size
    x1, x2 = scaled(box.x1, width), scaled(box.x2, width)
    y1, y2 = scaled(box.y1, height), scaled(box.y2, height)
    return replace(box, x1=x1, y1=y1, x2=x2, y2=y2)


@dataclass(frozen=True)
class LabelItem:
    """One image of a label set.

    Attributes:
        name: of the image, as the labels call it; empty where a fault hides it.
        where: file, and line or image, for messages.
        digest: sha256 of the statement, which is the same in every version of a file.
        read: takes the statement apart; raises `UserError` where that is impossible. It may be called late, or never:
            of a file that has grown most lines are known by their digests.
        others: further names by which the image may be known, where a format does not give the whole name.
    """

    name: str
    where: str
    digest: str
    read: Callable[[], ImageLabels]
    others: tuple[str, ...] = ()


def said(name: str, where: str, text: str, labels: ImageLabels, others: tuple[str, ...] = ()) -> LabelItem:
    """An item whose statement was taken apart already; its identity is its ``text``."""
    return LabelItem(name, where, digest(text), lambda: labels, others)


def faulty(name: str, where: str, text: str, fault: UserError) -> LabelItem:
    """An item that cannot be understood."""

    def fail() -> ImageLabels:
        raise fault

    return LabelItem(name, where, digest(text), fail)


def nameable(item: LabelItem) -> LabelItem:
    """The item, or one with a fault where no file can have its name: what a power cut or a wrong encoding leaves."""
    odd = next((name for name in (item.name, *item.others) if not _is_name(name)), None)
    if odd is None:
        return item
    zeros = "\0" in odd
    what = "a NUL character, which no file name has" if zeros else "half a character"
    hint = "if the file is UTF-16, save it as UTF-8" if zeros else "save the file as UTF-8"
    fault = DataError(f"the name {odd!a} holds {what}", where=item.where, hint=hint)

    def fail() -> ImageLabels:
        raise fault

    return replace(item, name="", others=(), read=fail)


def _is_name(name: str) -> bool:
    try:
        return b"\0" not in name.encode()
    except UnicodeEncodeError:
        return False


def digest(text: str) -> str:
    """The sha256 of a text; half surrogates, which JSON can hold, have one as well."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
