"""The one reader of label files. A Dataset and an import take the same formats, and read them alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.common.label_format import LabelFormat
from sedna.labels.classes import ClassNames
from sedna.labels.coco_items import coco_items
from sedna.labels.csv import read_csv_rows
from sedna.labels.cvat import cvat_items
from sedna.labels.files import LabelFiles
from sedna.labels.items import LabelItem, nameable
from sedna.labels.jsonl import read_jsonl_rows
from sedna.labels.labelstudio import labelstudio_items
from sedna.labels.rows import row_items
from sedna.labels.txt import txt_items
from sedna.labels.voc import voc_items
from sedna.labels.yolo_folder import yolo_items

__all__ = ["is_one_file", "label_suffixes", "read_labels"]

MAX_BYTES = 256 << 20
"""Largest file that holds the labels of all images."""


@dataclass(frozen=True)
class _Source:
    files: LabelFiles
    start: str
    classes: ClassNames
    split: str
    suffixes: tuple[str, ...]

    def one_file(self) -> tuple[bytes, str]:
        """The bytes of the file that holds all labels, and what messages call it."""
        files, name = self.files, self.start
        if not name:
            names = files.names()
            found = [entry for entry in names if entry.lower().endswith(self.suffixes)]
            # The only file may have any suffix: standard input has none.
            if len(names) != 1 and len(found) != 1:
                listed = f": {', '.join(found[:5])}" if found else ""
                hint = f"one file {' or '.join(self.suffixes)} holds the labels of all images"
                raise DataError(f"there are {len(found)} label files{listed}", where=files.at(""), hint=hint)
            name = found[0] if found else names[0]
        return files.read(name, MAX_BYTES), files.at(name)


@dataclass(frozen=True)
class _Format:
    """How a format is read, and the suffixes of its files. ``one_file`` formats hold the labels of all images in it."""

    read: Callable[[_Source], Iterable[LabelItem]]
    suffixes: tuple[str, ...]
    one_file: bool = True


def read_labels(
    files: LabelFiles,
    label_format: LabelFormat,
    classes: ClassNames | Sequence[str] = (),
    *,
    start: str = "",
    split: str = "train",
) -> tuple[LabelItem, ...]:
    """The items of a label set, in its order; of the same statement made twice, the last.

    Args:
        classes: the job's classes; formats that name classes are matched by name, in the others a label is a
            position in this list. Open ones (an empty list as well) learn the names of the files.
        start: the file or folder among ``files`` that is meant; "" = all of them.
        split: which part of a YOLO ``data.yaml`` is meant, where ``start`` names one.

    Raises:
        DataError: the label set as a whole cannot be read. What is wrong with one line, or with one file of many, is
            told by the ``read`` of its item.
        NotFoundError, TooLargeError: of a file.
    """
    # From the end: entries replace earlier ones about the same image, so that of two equal ones the last has to stay.
    chosen = _FORMATS[label_format]
    last: dict[str, LabelItem] = {}
    known = classes if isinstance(classes, ClassNames) else ClassNames.of(classes)
    for item in reversed(list(chosen.read(_Source(files, start, known, split, chosen.suffixes)))):
        last.setdefault(item.digest, nameable(item))
    return tuple(reversed(last.values()))


def label_suffixes(label_format: LabelFormat) -> tuple[str, ...]:
    """Suffixes of the files that belong to a label set, in lower case: pictures beside them do not."""
    return _FORMATS[label_format].suffixes


def is_one_file(label_format: LabelFormat) -> bool:
    """Whether one file holds the labels of all images."""
    return _FORMATS[label_format].one_file


def _txt(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return txt_items(data, source.classes, where)


def _csv(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return row_items(read_csv_rows(data, where, source.classes), where)


def _jsonl(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return row_items(read_jsonl_rows(data, where, source.classes), where)


def _coco(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return coco_items(data, source.classes, where)


def _voc(source: _Source) -> Iterable[LabelItem]:
    return voc_items(source.files, source.start, source.classes)


def _yolo(source: _Source) -> Iterable[LabelItem]:
    return yolo_items(source.files, source.start, source.classes, source.split)


def _cvat(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return cvat_items(data, source.classes, where)


def _labelstudio(source: _Source) -> Iterable[LabelItem]:
    data, where = source.one_file()
    return labelstudio_items(data, source.classes, where)


_FORMATS: dict[LabelFormat, _Format] = {
    LabelFormat.TXT: _Format(_txt, (".txt",)),
    LabelFormat.CSV: _Format(_csv, (".csv",)),
    LabelFormat.JSONL: _Format(_jsonl, (".jsonl",)),
    LabelFormat.COCO: _Format(_coco, (".json",)),
    LabelFormat.JSON: _Format(_coco, (".json",)),
    LabelFormat.VOC: _Format(_voc, (".xml",), one_file=False),
    LabelFormat.YOLO: _Format(_yolo, (".txt", ".yaml", ".yml", ".names"), one_file=False),
    LabelFormat.CVAT: _Format(_cvat, (".xml",)),
    LabelFormat.LABELSTUDIO: _Format(_labelstudio, (".json",)),
}
"""A format of `LabelFormat` without a line here fails the tests."""
