"""Is an annotation possible for this sample?"""

from __future__ import annotations

from collections.abc import Iterable

from sedna.common.types import Annotation, SampleRecord
from sedna.labels.validate import BoxCheck, Mode, RawBox


def checked(
    record: SampleRecord,
    boxes: Iterable[RawBox],
    label: int | None,
    class_names: tuple[str, ...],
    *,
    where: str,
    mode: Mode = "strict",
) -> tuple[Annotation, int]:
    """The annotation, and how many boxes were cut or dropped to make it possible (only in ``clip`` mode).

    A job without class names takes every label: upstream's jobs name no classes.

    Raises:
        DataError: a box outside the image or without area (``strict``), or an unknown class.
    """
    raw = tuple(boxes)
    largest = max([box.label for box in raw] + ([] if label is None else [label]), default=-1)
    check = BoxCheck(mode, class_names or tuple(str(number) for number in range(largest + 1)))
    kept = check.boxes(where, record.width, record.height, raw)
    whole = None if label is None else check.label(where, label)
    return Annotation(boxes=kept, label=whole), len(check.clipped)


def raw_boxes(annotation: Annotation) -> tuple[RawBox, ...]:
    """The boxes of an annotation, to be looked at again."""
    return tuple(RawBox(box.x1, box.y1, box.x2, box.y2, box.label, box.score) for box in annotation.boxes)
