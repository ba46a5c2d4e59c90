"""The images of a COCO file as tools really write them: each fault belongs to its annotation or its image."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sedna.common.errors import DataError
from sedna.labels.classes import ClassNames
from sedna.labels.coco import parse_coco, raw_box
from sedna.labels.items import ImageLabels, LabelItem, faulty, said
from sedna.labels.names import image_name
from sedna.labels.rows import shown
from sedna.labels.validate import RawBox

__all__ = ["coco_items"]

_Row = Mapping[str, Any]
_Id = int | str

_NO_CROWD = (None, False, 0, "0", "", "false", "False")
_LARGEST = 1 << 53


def coco_items(data: bytes, classes: ClassNames, where: str) -> Iterator[LabelItem]:
    """The images of a COCO file, in its order; then what belongs to none of them.

    Regions of crowds are skipped. An image without any annotation shows nothing. Categories are matched by name.

    Raises:
        DataError: the file as a whole cannot be read. What is wrong with one image is the fault of its item, and what
            is wrong with an annotation is among the faults of its image.
    """
    content = parse_coco(data, where)
    categories = _categories(_list(content, "categories", where), classes, where)
    pictures, doubled = _pictures(_list(content, "images", where), where)
    stray: list[LabelItem] = []
    seen: dict[_Id, _Row] = {}
    for position, row in enumerate(_list(content, "annotations", where)):
        at = f"{where}: annotations[{position}]"
        try:
            number, picture = _owner(row, at, pictures, doubled)
            if number is not None:
                at = f"{where}: annotation {number}"
        except DataError as error:
            stray.append(faulty("", error.where or at, _text(row), error, is_picture=False))
            continue
        if number is not None and number in seen:
            picture.again(row, seen[number], at)
        else:
            picture.add(row, categories, at)
        if number is not None:
            seen.setdefault(number, row)
    for one in (*pictures.values(), *doubled):
        yield one.item(where)
    yield from stray


@dataclass
class _Picture:
    """A row of ``images`` and what the annotations say of it."""

    row: Any
    at: str
    fault: DataError | None = None
    rows: list[Any] = field(default_factory=list)
    boxes: list[RawBox] = field(default_factory=list)
    faults: list[DataError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def add(self, row: _Row, categories: _Categories, at: str) -> None:
        self.rows.append(row)
        # A crowd region is a mask over many things; as a box it would teach one large thing.
        if row.get("iscrowd") not in _NO_CROWD:
            self.skipped.append(f"{at}: iscrowd, a region over many things and no box around one")
            return
        try:
            self.boxes.append(replace(raw_box(row, categories.label(row, at), at), at=at))
        except DataError as error:
            self.faults.append(error)

    def again(self, row: _Row, first: _Row, at: str) -> None:
        """A further annotation with an id that is taken."""
        self.rows.append(row)
        if row == first:
            self.skipped.append(f"{at}: it stands twice in the file, word for word")
        else:
            hint = "ids are unique: give this one another"
            self.faults.append(DataError("another annotation has this id", where=at, hint=hint))

    def item(self, where: str) -> LabelItem:
        name = self.row.get("file_name") if isinstance(self.row, dict) else None
        stated = name if isinstance(name, str) else ""
        try:
            if self.fault is not None:
                raise self.fault
            size = _size(self.row, "width", self.at), _size(self.row, "height", self.at)
            found = image_name(stated)
            if not found:
                raise DataError(f"file_name is {shown(name)}", where=self.at, hint="the name of a picture file")
        except DataError as error:
            # The statement as it stands, so that a corrected file has another digest and is tried again.
            return faulty(stated, self.at, _text([self.row, self.rows]), error)
        labels = ImageLabels(tuple(self.boxes), size=size, faults=tuple(self.faults), skipped=tuple(self.skipped))
        others = (stated,) if stated != found else ()
        return said(found, f"{where}: {found}", f"{found} {labels.identity}", labels, others)


@dataclass(frozen=True)
class _Categories:
    """The file's categories by their ids, and the classes of the job."""

    names: Mapping[_Id, str | None]
    classes: ClassNames

    def label(self, row: _Row, at: str) -> int:
        number = _id(row, "category_id", at)
        if number not in self.names:
            known = ", ".join(f"{key} {name}" for key, name in list(self.names.items())[:20])
            hint = f"the categories of the file: {known or 'none'}"
            raise DataError(f"category {number} is not among the categories", where=at, hint=hint)
        name = self.names[number]
        if name is None:
            hint = "give each category an id of its own, and a name"
            raise DataError(f"category {number} has no name, or two", where=at, hint=hint)
        label = self.classes.label(name)
        if label is None:
            message = f"category {number} {name!r} is not among the classes of the job"
            raise DataError(message, where=at, hint=self.classes.hint)
        return label


def _categories(rows: Sequence[Any], classes: ClassNames, where: str) -> _Categories:
    """A category that cannot be understood is the fault of the annotations that name it."""
    names: dict[_Id, str | None] = {}
    for position, row in enumerate(rows):
        try:
            number = _id(_object(row, f"{where}: categories[{position}]"), "id", where)
        except DataError:
            continue  # no annotation can name it
        name = row.get("name")
        usable = name.strip() if isinstance(name, str) and name.strip() else None
        names[number] = usable if number not in names or names[number] == usable else None
    classes.learn(name for name in names.values() if name is not None)
    return _Categories(names, classes)


def _pictures(rows: Sequence[Any], where: str) -> tuple[dict[_Id, _Picture], list[_Picture]]:
    """Pictures by their ids; and those that no annotation can name, for want of an id of their own."""
    pictures: dict[_Id, _Picture] = {}
    doubled: list[_Picture] = []
    for position, row in enumerate(rows):
        at = f"{where}: images[{position}]"
        try:
            number = _id(_object(row, at), "id", at)
        except DataError as error:
            doubled.append(_Picture(row, at, error))
            continue
        picture = _Picture(row, f"{where}: image {number}")
        if number in pictures:
            # Which of the two does an annotation speak of? Neither can be trusted.
            hint = "ids are unique: give one of them another"
            picture.fault = pictures[number].fault = DataError(f"two images have the id {number}", where=at, hint=hint)
            doubled.append(picture)
        else:
            pictures[number] = picture
    return pictures, doubled


def _owner(
    row: Any, at: str, pictures: Mapping[_Id, _Picture], doubled: Sequence[_Picture]
) -> tuple[_Id | None, _Picture]:
    """The id of an annotation, None where it has none, and its picture."""
    _object(row, at)
    number = None if row.get("id") is None else _id(row, "id", at)
    named = at if number is None else f"{at[: at.rindex(':')]}: annotation {number}"
    image = _id(row, "image_id", named)
    if image not in pictures:
        unnamed = f"; {len(doubled)} images have no id of their own" if doubled else ""
        raise DataError(f"image {image} is not in the file{unnamed}", where=named, hint="list it under images")
    return number, pictures[image]


def _list(content: _Row, key: str, where: str) -> list[Any]:
    found = content.get(key)
    # A file without annotations would say of every image that it shows nothing.
    if not isinstance(found, list):
        raise DataError(f"{key} is missing or no list", where=where, hint="images, annotations, categories")
    return found


def _object(row: Any, at: str) -> _Row:
    if not isinstance(row, dict):
        raise DataError(f"{shown(row)} is no object", where=at, hint="a JSON object with an id")
    return row


def _id(row: _Row, key: str, at: str) -> _Id:
    value = row.get(key)
    if isinstance(value, str) and value:  # some tools count in texts
        return value
    return _whole(row, key, at)


def _whole(row: _Row, key: str, at: str) -> int:
    """A whole number, also where a tool has written it as 640.0."""
    value: Any = row.get(key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # Of NaN no comparison holds.
    if not (is_number and abs(value) <= _LARGEST and value == int(value)):
        raise DataError(f"{key} is {shown(value)}", where=at, hint="a whole number")
    return int(value)


def _size(row: _Row, key: str, at: str) -> int:
    value = _whole(row, key, at)
    if value < 1:
        raise DataError(f"{key} is {value}", where=at, hint="a size in pixels, at least 1")
    return value


def _text(value: Any) -> str:
    return json.dumps(value)
