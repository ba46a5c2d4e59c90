"""Labels of a file "CVAT for images 1.1".

Source: https://docs.cvat.ai/docs/manual/advanced/formats/format-cvat/. Corners count in pixels from the edge of the
image, so that its far edge is at its width. Outlines, ellipses and turned boxes become the box around them; a ``<tag>``
is the class of its image. An ``<image>`` without either shows nothing: what nobody has looked at has to be left out.
"""

from __future__ import annotations

import io
import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from sedna.common.errors import DataError
from sedna.labels.classes import ClassNames
from sedna.labels.items import ImageLabels, LabelItem, faulty, said
from sedna.labels.names import image_name
from sedna.labels.shapes import Corners, around, turned_about
from sedna.labels.validate import RawBox

__all__ = ["cvat_items"]

_FORM = 'the file of an export "CVAT for images 1.1"'
_OUTLINES = ("polygon", "polyline", "points", "ellipse", "mask")
_KNOWN = ("box", "tag", *_OUTLINES)


@dataclass
class _Image:
    name: str
    size: tuple[int, int]
    at: str
    shapes: list[tuple[str, Corners, str]] = field(default_factory=list)
    """Class, corners, and what messages call it."""
    tags: list[str] = field(default_factory=list)
    faults: list[DataError] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass
class _File:
    labels: list[str] = field(default_factory=list)
    images: list[_Image | tuple[str, str, DataError]] = field(default_factory=list)
    """An image, or name, place and fault of one that cannot be understood."""


def cvat_items(data: bytes, classes: ClassNames, where: str) -> Iterator[LabelItem]:
    """The images of a file, in its order.

    Args:
        classes: matched by name; open ones learn those of the file's ``<labels>``, then the others in order.

    Raises:
        DataError: the file as a whole cannot be read, or holds tracks of a video. What is wrong with one image is the
            fault of its item, and what is wrong with a shape is among the faults of its image.
    """
    read = _read(data, where)
    known = [one for one in read.images if isinstance(one, _Image)]
    classes.learn((*read.labels, *(name for one in known for name in (*(shape[0] for shape in one.shapes), *one.tags))))
    for one in read.images:
        if isinstance(one, _Image):
            yield _item(one, classes)
        else:
            name, at, fault = one
            yield faulty(name, at, f"{name} {fault}", fault)


def _read(data: bytes, where: str) -> _File:
    found, path = _File(), []
    try:
        # Image by image: a tree of the whole file would take many times its size.
        for event, element in iterparse(io.BytesIO(data), events=("start", "end"), forbid_dtd=True):
            if event == "start":
                path.append(element.tag)
                continue
            if path[:1] != ["annotations"]:
                raise DataError(f"this is no CVAT file: it begins with <{path[0]}>", where=where, hint=_FORM)
            if path == ["annotations", "track"]:
                hint = 'export the task as "CVAT for images 1.1"'
                raise DataError("this holds tracks of a video, which are no pictures", where=where, hint=hint)
            if path == ["annotations", "image"]:
                found.images.append(_image(element, len(found.images), where))
                element.clear()
            elif path[:2] == ["annotations", "meta"] and path[-3:] == ["labels", "label", "name"]:
                found.labels.append((element.text or "").strip())
            path.pop()
    except DefusedXmlException as error:
        raise DataError("XML with a document type or entities", where=where, hint=f"{_FORM} needs none") from error
    except (ET.ParseError, LookupError, ValueError) as error:
        raise DataError(f"this is no XML: {error}", where=where, hint=_FORM) from error
    found.labels = [name for name in found.labels if name]
    return found


def _image(element: Element, position: int, where: str) -> _Image | tuple[str, str, DataError]:
    stated = element.get("name") or ""
    at = f"{where}: {stated or f'image {position + 1}'}"
    try:
        name = image_name(stated)
        if not name:
            raise DataError(f"the name is {stated!r}", where=at, hint="the name of a picture file")
        found = _Image(name, (_whole(element, "width", at), _whole(element, "height", at)), at)
    except DataError as error:
        return stated, at, error
    for number, shape in enumerate(element, start=1):
        _add(found, shape, f"{at}: {shape.tag} {number}")
    return found


def _add(image: _Image, shape: Element, at: str) -> None:
    if shape.tag not in _KNOWN:
        image.skipped.append(f"{at}: a <{shape.tag}> is neither a box nor a class")
        return
    try:
        name = (shape.get("label") or "").strip()
        if not name:
            raise DataError("it has no label", where=at, hint="the name of a class")
        if shape.tag == "tag":
            image.tags.append(name)
        else:
            image.shapes.append((name, _corners(shape, at), at))
    except DataError as error:
        image.faults.append(error)


def _corners(shape: Element, at: str) -> Corners:
    if shape.tag == "box":
        x1, y1, x2, y2 = (_number(shape, key, at) for key in ("xtl", "ytl", "xbr", "ybr"))
        degrees = _number(shape, "rotation", at) if shape.get("rotation") else 0.0
        return turned_about((x1, y1, x2, y2), degrees, ((x1 + x2) / 2, (y1 + y2) / 2))
    if shape.tag == "ellipse":
        cx, cy, rx, ry = (_number(shape, key, at) for key in ("cx", "cy", "rx", "ry"))
        return cx - rx, cy - ry, cx + rx, cy + ry
    if shape.tag == "mask":
        x, y, width, height = (_number(shape, key, at) for key in ("left", "top", "width", "height"))
        return x, y, x + width, y + height
    text = shape.get("points") or ""
    try:
        points = [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split(";"))]
    except ValueError as error:
        raise DataError(f"points are {text[:80]!r}", where=at, hint="x,y;x,y;...") from error
    return around(points)


def _item(one: _Image, classes: ClassNames) -> LabelItem:
    boxes, faults = [], list(one.faults)
    for name, corners, at in one.shapes:
        label = classes.label(name)
        if label is None:
            faults.append(DataError(f"class {name!r} is not known", where=at, hint=classes.hint))
        else:
            boxes.append(RawBox(*corners, label, at=at))
    label = None
    if len(set(one.tags)) > 1:
        message = f"{len(set(one.tags))} tags: {', '.join(sorted(set(one.tags)))}"
        faults.append(DataError(message, where=one.at, hint="an image is of one class"))
    elif one.tags:
        label = classes.label(one.tags[0])
        if label is None:
            faults.append(DataError(f"class {one.tags[0]!r} is not known", where=one.at, hint=classes.hint))
    labels = ImageLabels(tuple(boxes), label, size=one.size, faults=tuple(faults), skipped=tuple(one.skipped))
    return said(one.name, one.at, f"{one.name} {labels.identity}", labels)


def _number(element: Element, key: str, at: str) -> float:
    text = element.get(key) or ""
    try:
        value = float(text)
    except ValueError as error:
        raise DataError(f"{key} is {text!r}", where=at, hint="a number of pixels") from error
    if not math.isfinite(value):
        raise DataError(f"{key} is {text!r}", where=at, hint="a number of pixels")
    return value


def _whole(element: Element, key: str, at: str) -> int:
    value = _number(element, key, at)
    if not value.is_integer() or value < 1:
        raise DataError(f"{key} is {value:g}", where=at, hint="a whole number of pixels, at least 1")
    return int(value)
