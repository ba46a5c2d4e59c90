"""Which files of a folder are YOLO labels, of which images, and what their classes are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import yaml

from sedna.common.errors import DataError, UserError
from sedna.common.types import MAX_LABEL
from sedna.labels.classes import ClassNames
from sedna.labels.files import LabelFiles, OneFile
from sedna.labels.items import ImageLabels, LabelItem, faulty, said
from sedna.labels.layout import Pictures, below, stem, with_part, without_part
from sedna.labels.source import as_text
from sedna.labels.yolo import YoloClasses, yolo_lines

__all__ = ["yolo_items"]

MAX_BYTES = 4 << 20
"""Largest label file: some 100,000 boxes."""

MAX_LIST_BYTES = 64 << 20
"""Largest list of pictures: some million paths."""

_FORM = "labels/<name>.txt for images/<name>.jpg, and data.yaml with the names of the classes"
_NAME_FILES = ("classes.txt", "obj.names")
_LISTS = ("train", "val", "valid", "test", "trainval", "unlabelled", "excluded")
"""Names of files that list pictures, beside label files in one folder."""


@dataclass(frozen=True)
class _Description:
    """What ``data.yaml`` says: class names, splits, and how many values the key points of a box have."""

    name: str = ""
    content: dict[str, Any] = field(default_factory=dict)

    def splits(self, split: str, where: str) -> list[str]:
        """The folders and lists of a split, as they are written. Raises `DataError` where there are none."""
        found = self.content.get(split)
        given = found if isinstance(found, list) else [found]
        entries = [entry for entry in given if isinstance(entry, str) and entry]
        if not entries or entries != given:
            raise DataError(f"{split} is {found!r}", where=where, hint="a folder of pictures, a list of them, or both")
        root = self.content.get("path")
        return [f"{root}/{entry}" if isinstance(root, str) and root else entry for entry in entries]

    @property
    def keypoint_values(self) -> int:
        shape = self.content.get("kpt_shape")
        match shape:
            case [int(points), int(values)] if points > 0 and values > 0:
                return points * values
        return 0


def yolo_items(files: LabelFiles, start: str, classes: ClassNames, split: str) -> Iterator[LabelItem]:
    """The images of the YOLO files below ``start``, in the order of their names.

    An image without a label file is not among them: nothing is said about it, and an empty file says that it shows
    nothing. An image of a list, which promises labels, has a fault then.

    Args:
        start: a folder, a ``data.yaml``, a list of pictures, or one label file; "" = every label file.
        classes: matched by the names in ``data.yaml`` or ``classes.txt``, which open ones learn; without names the
            numbers are labels.
        split: which part of a ``data.yaml`` that ``start`` names is meant.

    Raises:
        DataError: there are no label files, or ``data.yaml`` cannot be read. What is wrong with one label file is the
            fault of its item.
    """
    if isinstance(files, OneFile):
        raise DataError("a YOLO file does not say which image it is about", where=files.where, hint=f"a zip of {_FORM}")
    folder = _Folder(files, start, classes)
    yield from folder.items(split)


class _Folder:
    def __init__(self, files: LabelFiles, start: str, classes: ClassNames) -> None:
        self._files = files
        self._start = start
        names = files.names()
        self._pictures = Pictures(names)
        self._names = set(names)
        self._labels = _label_files(names, self._pictures)
        # Of the whole folder, also where a part of it is meant: the class names stand at the top.
        self._description = _described(files, names, start)
        named = _class_names(files, names, self._description)
        classes.learn(_in_order(named, fresh=not classes.names))
        self._classes = YoloClasses(named, classes)

    def items(self, split: str) -> Iterator[LabelItem]:
        start = self._start
        if start and start == self._description.name:
            where = self._files.at(start)
            for entry in self._description.splits(split, where):
                yield from self._of_entry(entry, where)
        # A text that is no label file can only be a list: places, not names, tell the two apart.
        elif start.lower().endswith(".txt") and start not in self._labels:
            yield from self._of_list(start)
        else:
            chosen = self._below(start)
            if not chosen and self._names:
                raise DataError("there is no YOLO label file", where=self._files.at(start), hint=_FORM)
            yield from map(self._item, chosen)

    def _below(self, start: str) -> list[str]:
        """Label files of a folder of labels, or of a folder of pictures."""
        also = with_part(start, "images", "labels") if start else start
        return [name for name in self._labels if below(name, start) or below(name, also)]

    def _of_entry(self, entry: str, where: str) -> Iterator[LabelItem]:
        """A split: a list of pictures, or a folder of them.

        Such paths are right on the machine where they were written. What counts is their longest tail that exists
        here: "../train/images", "/content/boards/train/images" and "train/images" are one folder.
        """
        # The longest first: a shorter tail may fit a folder of another split by chance.
        for tail in _tails(entry):
            if tail.lower().endswith(".txt") and tail in self._names:
                yield from self._of_list(tail)
                return
            if chosen := self._below(tail):
                yield from map(self._item, chosen)
                return
        raise DataError(f"there are no labels for {entry!r}", where=where, hint=_FORM)

    def _of_list(self, name: str) -> Iterator[LabelItem]:
        known = set(self._labels)
        where = self._files.at(name)
        text = as_text(self._files.read(name, MAX_LIST_BYTES), where)
        for number, line in enumerate(text.splitlines(), start=1):
            if picture := line.strip():
                found = next((label for label in _labels_of(picture) if label in known), None)
                yield self._item(found) if found else _unlabelled(picture, f"{where}: line {number}")

    def _item(self, name: str) -> LabelItem:
        where = self._files.at(name)
        path = stem(name)
        # The usual layout first; pictures beside their labels are rarer.
        pictured = with_part(path, "labels", "images")
        found, others = self._pictures.named([pictured, path, without_part(path, "labels")], unless=pictured)
        try:
            data = self._files.read(name, MAX_BYTES)
            boxes, faults = yolo_lines(data, self._classes, where, self._description.keypoint_values)
        except UserError as error:
            return faulty(found, where, f"{name} {error}", error)
        labels = ImageLabels(boxes, relative=True, faults=faults)
        return said(found, where, f"{found} {labels.identity}", labels, others)


def _unlabelled(picture: str, where: str) -> LabelItem:
    at = f"{where}: {picture}"
    hint = "an empty label file says that the picture shows nothing"
    return faulty(picture, at, picture, DataError("the picture has no label file", where=at, hint=hint))


def _labels_of(picture: str) -> Iterator[str]:
    """Names that the label file of a picture may have, by the longest tail first."""
    for tail in _tails(stem(picture.replace("\\", "/"))):
        yield f"{with_part(tail, 'images', 'labels')}.txt"
        yield f"{tail}.txt"


def _tails(path: str) -> Iterator[str]:
    parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..", ".")]
    for first in range(len(parts)):
        yield "/".join(parts[first:])


def _label_files(names: Sequence[str], pictures: Pictures) -> list[str]:
    """The label files among all: those below folders ``labels``; where there is none, texts that are nothing else."""
    texts = [name for name in names if name.lower().endswith(".txt")]
    texts = [name for name in texts if PurePosixPath(name).name.lower() not in _NAME_FILES]
    inside = [name for name in texts if "labels" in PurePosixPath(name).parts[:-1]]
    # Without folders "labels" every text could be one: what is known to be something else is left out.
    return inside or [name for name in texts if not _is_other_text(name) or pictures.has(stem(name))]


def _is_other_text(name: str) -> bool:
    last = stem(PurePosixPath(name).name.lower())
    return last.startswith("readme") or last in _LISTS


def _described(files: LabelFiles, names: Sequence[str], start: str) -> _Description:
    """The description that ``start`` names, or the first one that names classes: ``data.yaml`` before others."""
    if start.lower().endswith((".yaml", ".yml")):
        return _Description(start, _parsed(files, start))
    found = [name for name in names if name.lower().endswith((".yaml", ".yml"))]
    for name in sorted(found, key=lambda name: (stem(name).rpartition("/")[2] != "data", name.count("/"), name)):
        content = _parsed(files, name)
        if "names" in content:
            return _Description(name, content)
    return _Description()


def _parsed(files: LabelFiles, name: str) -> dict[str, Any]:
    where = files.at(name)
    try:
        content = yaml.safe_load(as_text(files.read(name, MAX_BYTES), where))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise DataError(f"this is no YAML: {error}", where=where, hint="names: [first, second, ...]") from error
    if not isinstance(content, dict):
        raise DataError("this is no description of a dataset", where=where, hint="names: [first, second, ...]")
    return content


def _class_names(files: LabelFiles, names: Sequence[str], described: _Description) -> dict[int, str]:
    if "names" in described.content:
        return _of_yaml(described.content["names"], files.at(described.name))
    for name in sorted(names, key=lambda name: (name.count("/"), name)):
        if PurePosixPath(name).name.lower() in _NAME_FILES:
            text = as_text(files.read(name, MAX_BYTES), files.at(name))
            return dict(enumerate(line.strip() for line in text.rstrip().splitlines()))
    return {}


def _in_order(named: Mapping[int, str], *, fresh: bool) -> list[str]:
    """Class names by their numbers; for a job without classes each at the place of its number, gaps named by theirs."""
    if not fresh or not named or max(named) > MAX_LABEL:
        return [named[number] for number in sorted(named)]
    return [named.get(number, str(number)) for number in range(max(named) + 1)]


def _of_yaml(given: Any, where: str) -> dict[int, str]:
    """``names`` is a list, or a mapping by number."""
    named = dict(enumerate(given)) if isinstance(given, list) else given
    if not isinstance(named, dict) or not all(
        isinstance(number, int) and isinstance(name, str | int) for number, name in named.items()
    ):
        raise DataError("names is no list of names", where=where, hint="names: [first, second, ...]")
    return {number: str(name) for number, name in named.items()}
