"""What label files of every format are read into: an item per image, checked once the size of the image is known."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from sedna.common.errors import DataError, UserError
from sedna.common.orientation import UPRIGHT, turned_box, turned_size
from sedna.common.types import Annotation, Box
from sedna.labels.validate import BoxCheck, Mode, RawBox, fractions_fault

__all__ = ["CheckedLabels", "ImageLabels", "LabelItem", "digest", "faulty", "nameable", "said"]

_PIXEL_PLACES = 6
"""Of a coordinate that a file has as a fraction: files have few digits, and what was written as pixel 1 of 24 must come
back as 1 and not as 0.999999999996, or every label that is exported and imported again would be another one."""

_SNAP = 1e-5
"""Share of the image by which a relative corner may lie outside: tools round to six decimals."""


@dataclass(frozen=True)
class CheckedLabels:
    """What of the labels of one image is usable, and what became of the rest.

    Attributes:
        annotation: None where nothing usable is left of what was said: the image stays without a label then, for
            "shows nothing" is a statement that nobody has made.
        cut: what was cut at the edge of the image, and stayed.
        skipped: what was left out on purpose.
        refused: what is wrong, each with its place and what would be right.
    """

    annotation: Annotation | None
    cut: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    refused: tuple[DataError, ...] = ()


@dataclass(frozen=True)
class ImageLabels:
    """The labels of one image, before the image was opened.

    Attributes:
        boxes: in pixels; where ``relative`` is set, in fractions of width and height.
        label: of the whole image; None for detection.
        size: (width, height) as stated; None where the format states none.
        faults: what the file says of the image and nobody can understand, with its place.
        skipped: what a reader left out on purpose, with the reason.
    """

    boxes: tuple[RawBox, ...] = ()
    label: int | None = None
    size: tuple[int, int] | None = None
    relative: bool = False
    # Not in the text that tells items apart: of labels without faults it is what it was before there were these two.
    faults: tuple[DataError, ...] = field(default=(), repr=False)
    skipped: tuple[str, ...] = field(default=(), repr=False)

    @property
    def identity(self) -> str:
        """A text that changes with whatever the file says."""
        return repr(self) + "".join(f"; {text}" for text in (*map(str, self.faults), *self.skipped))

    def annotation(
        self, size: tuple[int, int], class_names: tuple[str, ...], *, where: str, orientation: int = UPRIGHT
    ) -> Annotation:
        """The annotation of an image of this size, where everything that the file says of it is right.

        Args:
            size: (width, height) of the image as it is seen.
            class_names: empty = every label is possible: upstream's jobs name no classes.
            orientation: the EXIF orientation by which it was turned; labels that mean the unturned image, see
                `is_unturned`, are turned with it.

        Raises:
            DataError: the stated size is another one, a box is impossible, a class is unknown, or nothing is left but
                what a reader skips.
        """
        checked = self.checked(size, class_names, where=where, mode="strict", orientation=orientation)
        if checked.refused:
            # The first one speaks for all: it has a place of its own, and like faults of many images are counted by it.
            first, more = checked.refused[0], len(checked.refused) - 1
            text = f"{first.message} (and {more} more of it is wrong)" if more else first.message
            raise DataError(text, where=first.where or where, hint=first.hint)
        if checked.annotation is None:
            hint = "the image stays without a label; an entry without any says that it shows nothing"
            raise DataError(f"all of it was skipped: {checked.skipped[0]}", where=where, hint=hint)
        return checked.annotation

    def checked(
        self,
        size: tuple[int, int],
        class_names: tuple[str, ...],
        *,
        where: str,
        mode: Mode,
        orientation: int = UPRIGHT,
    ) -> CheckedLabels:
        """What of it is usable for an image of this size. In strict mode a box that reaches out is refused, not cut.

        Args: as `annotation`.

        Raises:
            DataError: the stated size is another one.
        """
        if self.is_unturned(size, orientation):
            return self._turned(orientation).checked(size, class_names, where=where, mode=mode)
        if self.size is not None and self.size != size:
            raise DataError(
                f"the file says the image is {self.size[0]} x {self.size[1]}, it is {size[0]} x {size[1]}",
                where=where,
                hint="its boxes would be in the wrong places",
            )
        check = BoxCheck(mode, class_names or self._numbers())
        # Checked in pixels, after the scaling: the limits of all formats are the same then.
        boxes = tuple(_in_pixels(box, size) for box in self.boxes) if self.relative else self.boxes
        refused = list(self.faults)
        fault = None if self.relative else fractions_fault(where, size, boxes)
        if fault is not None:
            refused.append(fault)
            boxes = ()
        kept, wrong, cut = _sorted_out(check, where, size, boxes)
        label = None
        try:
            label = None if self.label is None else check.label(where, self.label)
        except DataError as error:
            wrong.append(error)
        refused += wrong
        is_said = bool(kept) or label is not None or not (refused or self.skipped)
        annotation = Annotation(boxes=tuple(kept), label=label) if is_said else None
        return CheckedLabels(annotation, tuple(cut), self.skipped, tuple(refused))

    def is_unturned(self, size: tuple[int, int], orientation: int) -> bool:
        """Whether the stated size says that the labels are of the image as it lies in its file, not as it is seen."""
        return self.size is not None and self.size == turned_size(size, orientation) != size

    def _turned(self, orientation: int) -> ImageLabels:
        assert self.size is not None, "without a stated size nothing is known to be unturned"
        size = (1, 1) if self.relative else self.size
        boxes = []
        for box in self.boxes:
            # Turned, one that has no area could come out as one that has.
            if not (box.x1 < box.x2 and box.y1 < box.y2):
                boxes.append(box)
                continue
            x1, y1, x2, y2 = turned_box((box.x1, box.y1, box.x2, box.y2), size, orientation)
            boxes.append(replace(box, x1=x1, y1=y1, x2=x2, y2=y2))
        return replace(self, boxes=tuple(boxes), size=turned_size(self.size, orientation))

    def _numbers(self) -> tuple[str, ...]:
        labels = [box.label for box in self.boxes] + ([] if self.label is None else [self.label])
        return tuple(str(number) for number in range(max(labels, default=-1) + 1))


def _sorted_out(
    check: BoxCheck, where: str, size: tuple[int, int], boxes: Sequence[RawBox]
) -> tuple[list[Box], list[DataError], list[str]]:
    """The boxes that may stay, what is wrong with the others, and what was cut."""
    kept: list[Box] = []
    wrong: list[DataError] = []
    cut: list[str] = []
    for number, raw in enumerate(boxes, start=1):
        try:
            box = check.one(where, number, *size, raw)
        except DataError as error:
            wrong.append(error)
            continue
        if box is None:
            wrong.append(check.dropped[-1])
            continue
        kept.append(box)
        if check.clipped and check.clipped[-1].box == number:
            cut.append(f"{raw.at or f'{where}: box {number}'}: cut at the edge of the image")
    return kept, wrong, cut


def _in_pixels(box: RawBox, size: tuple[int, int]) -> RawBox:
    def scaled(fraction: float, length: int) -> float:
        if -_SNAP <= fraction <= 1 + _SNAP:
            fraction = min(max(fraction, 0.0), 1.0)
        return round(fraction * length, _PIXEL_PLACES)

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
        is_picture: False for what belongs to no image, as an annotation that names none.
    """

    name: str
    where: str
    digest: str
    read: Callable[[], ImageLabels]
    others: tuple[str, ...] = ()
    is_picture: bool = True


def said(name: str, where: str, text: str, labels: ImageLabels, others: tuple[str, ...] = ()) -> LabelItem:
    """An item whose statement was taken apart already; its identity is its ``text``."""
    return LabelItem(name, where, digest(text), lambda: labels, others)


def faulty(name: str, where: str, text: str, fault: UserError, *, is_picture: bool = True) -> LabelItem:
    """An item that cannot be understood."""

    def fail() -> ImageLabels:
        raise fault

    return LabelItem(name, where, digest(text), fail, is_picture=is_picture)


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
