"""Labelled pictures out of the shapes in which data sources hand them over.

Accepted for one picture: an array-like (N, 5) of x1, y1, x2, y2, label; the text ``x1,y1,x2,y2,label x1,...``; the path
of a Pascal VOC xml. Accepted for a source: ``x`` with pictures and ``y`` with the above, or ``x`` alone with raw index
lines ``picture.jpg x1,y1,x2,y2,label ...``. Labels are indices or class names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
import numpy as np
import numpy.typing as npt
from defusedxml import DefusedXmlException

from sedna.algorithms.training.samples import DataSource, Picture, label_index, listed_pictures
from sedna.common.errors import DataError
from sedna.common.log import LOGGER
from sedna.common.orientation import turned_box, turned_size
from sedna.common.pictures import look
from sedna.common.regular_files import read_regular

Boxes = npt.NDArray[np.float32]
"""(M, 5): x1, y1, x2, y2 in pixels of the picture, then the label index."""

_BOX_TEXT = re.compile(r"^[-+.\deE]+(?:,[-+.\deE]+){3},[^,\s]+$")


class Labelled(NamedTuple):
    """One picture and what is on it; ``name`` is the file stem, or the position for pictures in memory."""

    picture: Picture
    boxes_M5: Boxes
    name: str


def read_labelled(source: DataSource, class_names: Sequence[str], folders: Sequence[Path]) -> list[Labelled]:
    """All pictures of a source with their boxes.

    Args:
        source: see the module's text.
        class_names: resolves label names, and bounds label indices.
        folders: where relative paths are looked for, in this order, after the working folder.

    Raises:
        DataError: a file is not found, a box has no area, a label is unknown, or x and y differ in length.
    """
    pictures = list(source.x)
    if _is_raw(source):
        split = [_split_line(str(line)) for line in pictures]
        pictures, notes = [first for first, _ in split], [rest for _, rest in split]
    else:
        notes = list(source.y)
    if len(pictures) != len(notes):
        raise DataError(f"{len(pictures)} pictures but {len(notes)} annotations", hint="x and y of equal length")
    result = []
    for position, (picture, note) in enumerate(zip(pictures, notes, strict=True)):
        located = resolve(picture, folders)
        name = Path(located).stem if isinstance(located, str | Path) else str(position)
        result.append(Labelled(located, read_boxes(note, class_names, folders, where=name, picture=located), name))
    return result


def read_pictures(data: Any, folders: Sequence[Path]) -> list[Picture]:
    """The pictures of a source, a list, an array of paths, or of one picture alone; paths resolved."""
    lines = listed_pictures(data)
    if isinstance(data, DataSource):
        lines = [_split_line(line)[0] if isinstance(line, str) else line for line in lines]
    return [resolve(line, folders) for line in lines]


def resolve(picture: Picture, folders: Sequence[Path]) -> Picture:
    """The first existing file for a path; pictures in memory pass through."""
    if not isinstance(picture, str | Path):
        return picture
    path = Path(picture)
    for candidate in [path, *(folder / path for folder in folders)]:
        if candidate.is_file():
            return candidate
    tried = ", ".join(str(folder) for folder in folders) or "the working folder"
    raise DataError("no such file", where=str(picture), hint=f"looked in {tried}")


def read_boxes(
    note: Any, class_names: Sequence[str], folders: Sequence[Path], *, where: str, picture: Picture | None = None
) -> Boxes:
    """Boxes of one annotation; empty text, "0" and an empty array say that nothing is there.

    Args:
        picture: whose boxes these are. Those of a file that states the size of the unturned picture are turned with it.
    """
    if isinstance(note, str | Path):
        text = str(note).strip()
        if text.lower().endswith(".xml"):
            path = resolve(text, folders)
            assert isinstance(path, str | Path)
            read, stated = _read_voc(Path(path))
            rows: Iterable[Sequence[Any]] = _as_seen(read, stated, picture)
        else:
            rows = [] if text in ("", "0") else [token.split(",") for token in text.split()]
    elif note is None:
        raise DataError("has no annotation", where=where, hint="an empty list if there is nothing on it")
    else:
        array = np.asarray(note, dtype=object)
        # Upstream's text parser answers 0 for a line that holds a path alone.
        rows = [] if array.size == 0 or (array.ndim == 0 and array.item() == 0) else np.atleast_2d(array).tolist()
    boxes = [_check_box(row, class_names, where) for row in rows]
    return np.asarray(boxes, dtype=np.float32).reshape(-1, 5)


def _check_box(row: Sequence[Any], class_names: Sequence[str], where: str) -> tuple[float, ...]:
    if len(row) != 5:
        raise DataError(f"box {list(row)} has {len(row)} values", where=where, hint="x1, y1, x2, y2, label")
    try:
        x1, y1, x2, y2 = (float(value) for value in row[:4])
    except (TypeError, ValueError) as error:
        raise DataError(f"box {list(row)} is not numeric", where=where, hint="x1, y1, x2, y2, label") from error
    if not (np.isfinite([x1, y1, x2, y2]).all() and x2 > x1 and y2 > y1):
        raise DataError(f"box {list(row)} has no area", where=where, hint="x2 > x1 and y2 > y1")
    return x1, y1, x2, y2, float(label_index(row[4], class_names, where))


def _is_raw(source: DataSource) -> bool:
    """Whether ``x`` holds whole index lines: there is no ``y`` to go with it."""
    y = getattr(source, "y", None)
    return y is None or (len(y) == 0 and len(source.x) > 0)


def _split_line(line: str) -> tuple[str, str]:
    """``"a b.jpg 1,2,3,4,0"`` -> (``"a b.jpg"``, ``"1,2,3,4,0"``); from the right, as paths may hold spaces."""
    head, boxes = line.strip(), []
    while head and _BOX_TEXT.match(head.rsplit(None, 1)[-1]) and len(head.split(None, 1)) == 2:
        head, token = head.rsplit(None, 1)
        boxes.append(token)
    if not boxes and head.lower().endswith(".xml") and len(head.split()) == 2:
        head, token = head.split()
        boxes.append(token)
    return head, " ".join(reversed(boxes))


def _as_seen(rows: list[list[Any]], stated: tuple[int, int] | None, picture: Picture | None) -> list[list[Any]]:
    if stated is None or not isinstance(picture, str | Path):
        return rows
    facts = look(read_regular(Path(picture)), where=str(picture))
    seen = (facts.width, facts.height)
    if stated == seen or stated != turned_size(seen, facts.orientation):
        return rows
    LOGGER.info("%s: the boxes were drawn on the unturned picture, and are turned with it", picture)
    return [[*turned_box((row[0], row[1], row[2], row[3]), stated, facts.orientation), *row[4:]] for row in rows]


def _read_voc(path: Path) -> tuple[list[list[Any]], tuple[int, int] | None]:
    """Rows x1, y1, x2, y2, class name of a Pascal VOC file, and the (width, height) that it states, if it does."""
    try:
        root = defusedxml.ElementTree.parse(path).getroot()
        assert isinstance(root, Element)  # an empty file raised ParseError
        rows = [
            [float(item.findtext(f"bndbox/{key}", "")) for key in ("xmin", "ymin", "xmax", "ymax")]
            + [item.findtext("name", "").strip()]
            for item in root.iter("object")
        ]
        return rows, _stated_size(root)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise DataError(
            f"is not a Pascal VOC annotation: {error}", where=str(path), hint="object elements with name and bndbox"
        ) from error


def _stated_size(root: Element) -> tuple[int, int] | None:
    try:
        return int(float(root.findtext("size/width", ""))), int(float(root.findtext("size/height", "")))
    except (ValueError, OverflowError):  # nothing needs it but a turned picture
        return None
