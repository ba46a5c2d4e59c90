"""A file "CVAT for images 1.1" out of labels.

An ``<image>`` without a shape shows nothing; its ``subset`` is the job's part. CVAT has no word for the pictures of
which nothing is said, so they stand under ``<meta>``, where it does not look for any.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from sedna.common.label_format import PictureState
from sedna.common.types import Box
from sedna.labels.export.base import ExportFile, LabelExport, Pictured, class_name

__all__ = ["FOLDER", "cvat_files"]

FOLDER = "images"


def cvat_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``annotations.xml``."""
    yield ExportFile("annotations.xml", _content(labels))


def _content(labels: LabelExport) -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n <version>1.1</version>\n'
    yield b" <meta>\n  <task>\n   <labels>\n"
    for name in labels.all_class_names():
        yield f"    <label><name>{escape(name)}</name></label>\n".encode()
    yield b"   </labels>\n  </task>\n"
    for state in (PictureState.UNLABELLED, PictureState.EXCLUDED):
        yield f"  <{state}>\n".encode()
        for one in labels.in_state(state):
            yield f"   <image {_size(one)}/>\n".encode()
        yield f"  </{state}>\n".encode()
    yield b" </meta>\n"
    for number, one in enumerate(labels.said()):
        yield _image(number, one, labels).encode()
    yield b"</annotations>\n"


def _size(one: Pictured) -> str:
    return f'name={quoteattr(f"{FOLDER}/{one.name}")} width="{one.width}" height="{one.height}"'


def _image(number: int, one: Pictured, labels: LabelExport) -> str:
    assert one.annotation is not None, "said() has only those with a label"
    subset = f' subset="{one.part}"' if one.part else ""
    shapes = [_box(box, class_name(labels.class_names, box.label)) for box in one.annotation.boxes]
    if one.annotation.label is not None:
        name = class_name(labels.class_names, one.annotation.label)
        shapes.append(f'  <tag label={quoteattr(name)} source="manual"/>\n')
    return f' <image id="{number}" {_size(one)}{subset}>\n{"".join(shapes)} </image>\n'


def _box(box: Box, name: str) -> str:
    corners = " ".join(
        f'{key}="{value!r}"'
        for key, value in zip(("xtl", "ytl", "xbr", "ybr"), (box.x1, box.y1, box.x2, box.y2), strict=True)
    )
    return f'  <box label={quoteattr(name)} source="manual" occluded="0" {corners} z_order="0"/>\n'
