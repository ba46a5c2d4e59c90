"""Labels of an index as annotations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ianvs.data.index import read_lines
from sedna.common.errors import DataError
from sedna.common.types import Annotation
from sedna.labels.txt import parse_line
from sedna.labels.voc import read_voc


class LabelReader:
    """Reads the labels of one index as annotations."""

    def __init__(self, class_names: Sequence[str]) -> None:
        self.class_names = tuple(class_names)

    @classmethod
    def of(cls, index: str, class_names: Sequence[str]) -> LabelReader:
        """A reader for every label of an index. Class names not given are found.

        Raises:
            DataError: a label is of another kind; the message names the first one.
        """
        if Path(index).suffix != ".txt":
            raise DataError("is no txt index", where=index)
        labels = [line.partition(" ")[2].strip() for line in read_lines(index)]
        try:
            reader = cls.over(labels, class_names)
            for label in labels:
                reader.read(label)
        except ValueError as error:
            raise DataError(str(error), where=index) from error
        return reader

    @classmethod
    def over(cls, labels: Sequence[str], class_names: Sequence[str] = ()) -> LabelReader:
        """A reader for these labels.

        Raises:
            DataError, ValueError: their classes cannot be found out.
        """
        return cls(tuple(class_names) or _found_names(labels))

    def read(self, label: str) -> Annotation:
        """The annotation that a label stands for.

        Raises:
            DataError, ValueError: it stands for none.
        """
        if label.endswith(".xml"):
            return read_voc([Path(label)], class_names=self.class_names, mode="clip").labels.items[0].annotation
        # Production's parser reads whole lines; "x" stands for the path of the sample.
        line = parse_line(f"x {_number_of(label)}".strip(), label)
        annotation = Annotation(label=line.label) if line.label is not None else _boxes(line.boxes)
        numbers = [box.label for box in annotation.boxes] + ([] if annotation.label is None else [annotation.label])
        if any(one >= len(self.class_names) for one in numbers):
            raise ValueError(f"label {max(numbers)} of {len(self.class_names)} classes")
        return annotation


def _number_of(label: str) -> str:
    """Upstream turns the class number of a relative index into a path: ``/folder/3`` is 3."""
    last = label.rpartition("/")[2]
    return last if last.isdigit() else label


def _found_names(labels: Sequence[str]) -> tuple[str, ...]:
    if labels and all(label.endswith(".xml") for label in labels):
        return read_voc([Path(label) for label in labels], mode="clip").labels.class_names
    highest = -1
    for label in labels:
        line = parse_line(f"x {_number_of(label)}".strip(), label)
        highest = max([highest, *(box.label for box in line.boxes), -1 if line.label is None else line.label])
    return tuple(str(label) for label in range(highest + 1))


def _boxes(raw: Sequence[Any]) -> Annotation:
    return Annotation.model_validate(
        {"boxes": [{"x1": b.x1, "y1": b.y1, "x2": b.x2, "y2": b.y2, "label": b.label} for b in raw]}
    )
