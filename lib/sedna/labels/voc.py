"""Pascal VOC labels: an XML file per image, corners in pixels that count from 1 and are both inside the box.

Source: the development kit of the VOC challenge. Here x1 = xmin - 1 and x2 = xmax (exclusive).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, SubElement

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sedna.common.errors import DataError, UserError
from sedna.common.types import Annotation, Box
from sedna.labels.classes import ClassNames
from sedna.labels.files import LabelFiles
from sedna.labels.items import ImageLabels, LabelItem, faulty, said
from sedna.labels.labelset import LabelledImage, LabelSet
from sedna.labels.layout import Pictures, below, stem, with_part, without_part
from sedna.labels.names import image_name
from sedna.labels.source import label_set, labelled_image, read_source
from sedna.labels.validate import BoxCheck, LabelReport, LabelsRead, Mode, RawBox

__all__ = ["XML_CHARS", "read_voc", "voc_file", "voc_items", "write_voc"]

MAX_BYTES = 4 << 20
"""Largest file of one image: some 20,000 objects."""

XML_CHARS = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
"""What XML can hold."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclass(frozen=True)
class _Object:
    """An object of a file; ``number`` counts from 1."""

    name: str
    corners: tuple[float, float, float, float]
    number: int = field(repr=False)


@dataclass(frozen=True)
class _Parsed:
    where: str
    file_name: str
    width: int
    height: int
    objects: tuple[_Object, ...]
    faults: tuple[DataError, ...] = ()
    skipped: tuple[str, ...] = ()

    def at(self, number: int) -> str:
        return f"{self.where}: object {number}"


def read_voc(
    sources: Iterable[bytes | Path],
    *,
    class_names: Sequence[str] | None = None,
    one_based: bool = True,
    mode: Mode = "strict",
    max_bytes: int = MAX_BYTES,
) -> LabelsRead:
    """Read VOC files, one an image. Parts of objects and the marks "difficult" and "truncated" are not carried over.

    Args:
        class_names: classes in the order wanted; None = the names found, sorted.
        one_based: False for tools that count pixels from 0 and write the last corner exclusive.
        mode: see `sedna.labels.validate.Mode`.
        max_bytes: of each file.

    Raises:
        DataError: no XML or XML with a document type, missing elements, unknown class, impossible box.
        TooLargeError, NotFoundError: see `read_source`.
    """
    parsed = [_parse(*read_source(source, max_bytes, "VOC file")) for source in sources]
    for one in parsed:
        if one.faults or not one.file_name:
            raise (*one.faults, DataError("<filename> is missing or empty", where=one.where, hint="a name"))[0]
    names = _found_classes(parsed) if class_names is None else tuple(class_names)
    check = BoxCheck(mode, names)
    items: list[LabelledImage] = []
    for one in parsed:
        raw, faults = _raw_boxes(one, ClassNames.of(names), shift=1.0 if one_based else 0.0)
        if faults:
            raise faults[0]
        boxes = check.boxes(one.file_name, one.width, one.height, raw)
        fields = {"file_name": one.file_name, "width": one.width, "height": one.height}
        items.append(labelled_image(one.where, **fields, annotation=Annotation(boxes=boxes)))
    return LabelsRead(labels=label_set("VOC files", names, items), report=LabelReport(clipped=tuple(check.clipped)))


def voc_items(files: LabelFiles, start: str, classes: ClassNames) -> Iterator[LabelItem]:
    """The images of the VOC files below ``start``, in the order of the files' names.

    Objects marked "difficult" or "truncated" are objects; one marked "deleted" is skipped.

    The picture is looked for beside the file, in ``JPEGImages`` or ``images`` where the file is in ``Annotations``, and
    as ``<filename>`` says.

    Args:
        classes: matched by name; open ones learn the names found, sorted.

    Raises:
        DataError: there is no VOC file. What is wrong with one of them is the fault of its item, and what is wrong with
            an object is among the faults of its image.
    """
    names = files.names()
    chosen = [name for name in names if name.lower().endswith(".xml") and below(name, start)]
    if names and not chosen:
        raise DataError("there is no VOC file", where=files.at(start), hint="a file <name>.xml per image")
    # All files before the first item: the classes are the names in all of them.
    read = {name: _read_or_fault(files, name) for name in chosen}
    parsed = [one for one in read.values() if isinstance(one, _Parsed)]
    classes.learn(_found_classes(parsed))
    pictures = Pictures(names)
    for name, one in read.items():
        if isinstance(one, _Parsed):
            yield _item(name, one, classes, pictures)
        else:
            yield faulty("", files.at(name), f"{name} {one}", one)


def _read_or_fault(files: LabelFiles, name: str) -> _Parsed | UserError:
    try:
        return _parse(files.read(name, MAX_BYTES), files.at(name))
    except UserError as error:
        return error


def _item(name: str, one: _Parsed, classes: ClassNames, pictures: Pictures) -> LabelItem:
    size = (one.width, one.height)
    boxes, faults = _raw_boxes(one, classes, shift=1.0)
    # Some tools write no name: the file has the picture's.
    stated = image_name(one.file_name) or stem(name)
    folder, last = str(PurePosixPath(name).parent), PurePosixPath(stated).name
    # The folder of the labels first: <filename> is often left as another tool wrote it, and names no folder.
    folders = (
        folder,
        *(with_part(folder, "Annotations", pictures_in) for pictures_in in ("JPEGImages", "images")),
        without_part(folder, "Annotations"),
    )
    candidates = [str(PurePosixPath(place) / last) for place in folders]
    found, others = pictures.named([*candidates, stated], unless=stated)
    labels = ImageLabels(boxes, size=size, faults=(*one.faults, *faults), skipped=one.skipped)
    # The name of the file may hold the sample id where <filename> is what another tool has left.
    others = tuple(dict.fromkeys((*others, stem(name))))
    return said(found, one.where, f"{found} {labels.identity}", labels, others)


def _found_classes(parsed: Iterable[_Parsed]) -> tuple[str, ...]:
    # Sorted: the order in which a folder lists its files is no property of the classes.
    return tuple(sorted({found.name for one in parsed for found in one.objects}))


def _raw_boxes(one: _Parsed, classes: ClassNames, *, shift: float) -> tuple[tuple[RawBox, ...], tuple[DataError, ...]]:
    """The boxes of a file, and what is wrong with the others."""
    raw, faults = [], []
    for found in one.objects:
        xmin, ymin, xmax, ymax = found.corners
        label, at = classes.label(found.name), one.at(found.number)
        if label is None:
            faults.append(DataError(f"class {found.name!r} is not known", where=at, hint=classes.hint))
            continue
        # VOC counts from 1 and includes the last pixel; xmax is the same number in both ways of counting.
        raw.append(RawBox(xmin - shift, ymin - shift, xmax, ymax, label, at=at))
    return tuple(raw), tuple(faults)


def write_voc(labels: LabelSet) -> Iterator[tuple[str, bytes]]:
    """The labels as VOC files: (name, content), the name being the image's with the suffix ``.xml``.

    Raises:
        DataError: whole-image labels, which VOC cannot hold; two images whose files would have one name; a name with
            characters that XML cannot hold.
    """
    seen: set[str] = set()
    for item in labels.items:
        name = str(PurePosixPath(item.file_name).with_suffix(".xml"))
        # a.png and a.jpg would both write a.xml, and the second would win.
        if name in seen:
            raise DataError(f"two images need the file {name!r}", where=item.file_name, hint="rename one of them")
        seen.add(name)
        yield name, voc_file(item, labels.class_names.__getitem__)


def voc_file(item: LabelledImage, class_name: Callable[[int], str]) -> bytes:
    """The file of one image. Raises `DataError` as `write_voc`."""
    if item.annotation.label is not None:
        hint = "write classification labels as txt"
        raise DataError("VOC has no whole-image labels", where=item.file_name, hint=hint)
    root = Element("annotation")
    _text(root, "filename", item.file_name)
    size = SubElement(root, "size")
    _text(size, "width", str(item.width))
    _text(size, "height", str(item.height))
    _text(size, "depth", "3")
    _text(root, "segmented", "0")
    for box in item.annotation.boxes:
        _object(root, class_name(box.label), box)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8"))


def _object(root: Element, class_name: str, box: Box) -> None:
    element = SubElement(root, "object")
    _text(element, "name", class_name)
    _text(element, "pose", "Unspecified")
    _text(element, "truncated", "0")
    _text(element, "difficult", "0")
    corners = SubElement(element, "bndbox")
    for name, value in zip(_CORNERS, (box.x1 + 1, box.y1 + 1, box.x2, box.y2), strict=True):
        # Whole numbers without a point: most readers of VOC files call int().
        _text(corners, name, str(int(value)) if value == int(value) else repr(value))


def _text(parent: Element, tag: str, text: str) -> None:
    if not XML_CHARS.fullmatch(text):
        raise DataError(f"{text!r} holds characters that XML cannot hold", where=tag, hint="rename it")
    SubElement(parent, tag).text = text


def _parse(data: bytes, where: str) -> _Parsed:
    try:
        # A document type can define entities that grow to gigabytes, or that hold files of this machine.
        root = fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise DataError("XML with a document type or entities", where=where, hint="VOC files need none") from error
    except (ET.ParseError, LookupError, ValueError) as error:
        raise DataError(f"this is no XML: {error}", where=where, hint="a VOC file") from error
    objects, faults, skipped = [], [], []
    for number, element in enumerate(root.iterfind("object"), start=1):
        at = f"{where}: object {number}"
        if (element.findtext("deleted") or "").strip() == "1":
            skipped.append(f"{at}: marked as deleted")
            continue
        try:
            corners = [_decimal(element, f"bndbox/{name}", at) for name in _CORNERS]
            name = _required(element, "name", at)
        except DataError as error:
            faults.append(error)
            continue
        objects.append(_Object(name, (corners[0], corners[1], corners[2], corners[3]), number))
    return _Parsed(
        where=where,
        file_name=(root.findtext("filename") or "").strip(),
        width=_whole(root, "size/width", where),
        height=_whole(root, "size/height", where),
        objects=tuple(objects),
        faults=tuple(faults),
        skipped=tuple(skipped),
    )


def _required(element: Element, path: str, where: str) -> str:
    text = (element.findtext(path) or "").strip()
    if not text:
        raise DataError(f"<{path}> is missing or empty", where=where, hint="every VOC file has it")
    return text


def _decimal(element: Element, path: str, where: str) -> float:
    text = _required(element, path, where)
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"<{path}> is {text!r}", where=where, hint="a number of pixels") from error


def _whole(element: Element, path: str, where: str) -> int:
    value = _decimal(element, path, where)
    if not value.is_integer() or value < 1:
        raise DataError(f"<{path}> is {value}", where=where, hint="a whole number of pixels, at least 1")
    return int(value)
