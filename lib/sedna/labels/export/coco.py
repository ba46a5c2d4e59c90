"""A COCO file out of labels.

``images`` holds the pictures of which something is said, each with its ``state`` and ``part``. The others are listed
under ``unlabelled`` and ``excluded``, which other tools pass over: in ``images`` every reader would take them for
pictures that show nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sedna.common.label_format import PictureState
from sedna.labels.coco import annotation_row, image_row
from sedna.labels.export.base import ExportFile, LabelExport

__all__ = ["FOLDER", "coco_files"]

FOLDER = "images"


def coco_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``annotations.json``."""
    yield ExportFile("annotations.json", _content(labels))


def _content(labels: LabelExport) -> Iterator[bytes]:
    yield b'{"info": {"description": "labels of sedna"}, "licenses": [],\n"images": '
    yield from _array(_images(labels))
    yield b',\n"annotations": '
    yield from _array(_annotations(labels))
    yield b',\n"categories": '
    yield from _array({"id": number, "name": name} for number, name in enumerate(labels.all_class_names(), start=1))
    for state in (PictureState.UNLABELLED, PictureState.EXCLUDED):
        yield f',\n"{state}": '.encode()
        yield from _array(
            {"file_name": f"{FOLDER}/{one.name}", "width": one.width, "height": one.height}
            for one in labels.in_state(state)
        )
    yield b"}\n"


def _array(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    before = b"[\n"
    for row in rows:
        yield before + json.dumps(row, ensure_ascii=False).encode()
        before = b",\n"
    yield b"\n]" if before == b",\n" else b"[]"


def _images(labels: LabelExport) -> Iterator[dict[str, Any]]:
    for number, one in enumerate(labels.said(), start=1):
        row = image_row(one.labelled(f"{FOLDER}/{one.name}"), number)
        yield {**row, "state": one.state, "part": one.part}


def _annotations(labels: LabelExport) -> Iterator[dict[str, Any]]:
    box_number = 0
    for number, one in enumerate(labels.said(), start=1):
        assert one.annotation is not None, "said() has only those with a label"
        for box in one.annotation.boxes:
            box_number += 1
            yield annotation_row(box, box_number, number, box.label + 1)
