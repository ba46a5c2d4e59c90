"""Detection labels as a classification task set: every box of a COCO or Pascal VOC file becomes one picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from sedna.algorithms.continual.data.images import Crop, Encoded, ImageSet, OnCorrupt, decode_all, read_bytes
from sedna.common.errors import DataError, NotFoundError
from sedna.labels.files import is_hidden


def load_coco_crops(
    annotations: Path,
    images: Path,
    *,
    image_size: int,
    class_names: Sequence[str] = (),
    on_corrupt: OnCorrupt = "error",
) -> ImageSet:
    """One picture a box of a COCO file; crowd boxes are left out.

    Args:
        annotations: the JSON file.
        images: folder of its ``file_name`` entries.
        class_names: names in label order; empty: the categories in order of their id.

    Raises:
        NotFoundError: no such file.
        DataError: the file is no COCO file, or names a category that is not in the list.
    """
    content = _read_json(annotations)
    try:
        categories = {int(entry["id"]): str(entry["name"]) for entry in content["categories"]}
        files = {int(entry["id"]): (str(entry["file_name"]), _stated(entry)) for entry in content["images"]}
        # A crowd box surrounds many things and is a picture of none of them.
        rows = [entry for entry in content["annotations"] if not entry.get("iscrowd", 0)]
        names = tuple(class_names) or tuple(categories[key] for key in sorted(categories))
        items: list[Encoded] = []
        crops: list[Crop] = []
        for row in rows:
            label = _label(categories[int(row["category_id"])], names, annotations)
            x, y, width, height = (float(value) for value in row["bbox"])
            file, stated = files[int(row["image_id"])]
            items.append((f"{file} box {row['id']}", read_bytes(images / file), label))
            crops.append(Crop((x, y, x + width, y + height), stated))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"is no COCO file: {error!r}", where=str(annotations)) from error
    return decode_all(items, names, size=image_size, name=str(annotations), on_corrupt=on_corrupt, crops=crops)


def load_voc_crops(
    annotations: Path,
    images: Path,
    *,
    image_size: int,
    class_names: Sequence[str] = (),
    on_corrupt: OnCorrupt = "error",
) -> ImageSet:
    """One picture a box of a folder of Pascal VOC files; class names default to all names found, sorted.

    Raises:
        NotFoundError: no such folder.
        DataError: a file is no Pascal VOC file, or names a class that is not in the list.
    """
    if not annotations.is_dir():
        raise NotFoundError("no such folder", where=str(annotations))
    found: list[tuple[str, str, Crop]] = []
    for path in sorted(path for path in annotations.glob("*.xml") if not is_hidden(path.name)):
        found += _read_voc(path)
    names = tuple(class_names) or tuple(sorted({name for _, name, _ in found}))
    items: list[Encoded] = []
    for position, (file, name, _) in enumerate(found):
        items.append((f"{file} box {position}", read_bytes(images / file), _label(name, names, annotations)))
    crops = [crop for _, _, crop in found]
    return decode_all(items, names, size=image_size, name=str(annotations), on_corrupt=on_corrupt, crops=crops)


def _read_voc(path: Path) -> list[tuple[str, str, Crop]]:
    try:
        root: Element | None = defusedxml.ElementTree.parse(path).getroot()
        assert root is not None  # a parsed document has a root
        file = root.findtext("filename", "").strip() or f"{path.stem}.jpg"
        stated = _stated({key: root.findtext(f"size/{key}") for key in ("width", "height")})
        rows = []
        for item in root.iter("object"):
            x1, y1, x2, y2 = (float(item.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax"))
            rows.append((file, item.findtext("name", "").strip(), Crop((x1, y1, x2, y2), stated)))
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DataError(f"is no Pascal VOC file: {error}", where=str(path)) from error
    return rows


def _stated(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    """Width and height of a picture as its file states them; None where it does not."""
    try:
        return int(float(entry["width"])), int(float(entry["height"]))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise NotFoundError("no such file", where=str(path))
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise DataError(f"is no JSON: {error}", where=str(path)) from error


def _label(name: str, names: tuple[str, ...], where: Path) -> int:
    if name not in names:
        raise DataError(f"class {name!r} is not in the class list", where=str(where), hint=", ".join(names))
    return names.index(name)
