"""Label sets, and their files in every format."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

from hypothesis import strategies as st

from sedna.common.label_format import ExportFormat, LabelFormat
from sedna.common.types import Annotation, Box
from sedna.labels import LabelledImage, LabelSet, write_coco, write_txt, write_voc, write_yolo
from sedna.labels.export import LabelExport, Pictured, export_files
from sedna.labels.txt import format_line

_TEXT = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp", "Cn"), exclude_characters="/\\.\ufffe\uffff"),
    min_size=1,
    max_size=8,
)


@st.composite
def _box(draw: st.DrawFn, width: int, height: int, classes: int, *, whole: bool) -> Box:
    def span(size: int) -> tuple[float, float]:
        if whole:
            low = draw(st.integers(0, size - 1))
            return low, draw(st.integers(low + 1, size))
        low = draw(st.floats(0, size - 1))
        return low, draw(st.floats(min(low + 1, size), size))

    x1, x2 = span(width)
    y1, y2 = span(height)
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, label=draw(st.integers(0, classes - 1)))


@st.composite
def label_sets(draw: st.DrawFn, *, whole: bool = True, image_labels: bool = False) -> LabelSet:
    names = draw(st.lists(_TEXT, min_size=1, max_size=4, unique=True))
    items = []
    for stem in draw(st.lists(_TEXT, max_size=4, unique=True)):
        width, height = draw(st.integers(1, 2000)), draw(st.integers(1, 2000))
        boxes = draw(st.lists(_box(width, height, len(names), whole=whole), max_size=4).map(tuple))
        # Pixels between 0 and 1 are taken for fractions of the image.
        annotation = Annotation(boxes=boxes if any(max(box.x2, box.y2) >= 2 for box in boxes) else ())
        if image_labels and draw(st.booleans()):
            annotation = Annotation(label=draw(st.integers(0, len(names) - 1)))
        items.append(LabelledImage(file_name=f"a/{stem}.jpg", width=width, height=height, annotation=annotation))
    return LabelSet(class_names=tuple(names), items=tuple(items))


DETECTION_ONLY = (LabelFormat.COCO, LabelFormat.JSON, LabelFormat.VOC, LabelFormat.YOLO)


def files_of(labels: LabelSet, label_format: LabelFormat) -> dict[str, bytes]:
    """The label files by their names."""
    match label_format:
        case LabelFormat.TXT:
            return {"labels.txt": write_txt(labels)}
        case LabelFormat.CSV:
            return {"labels.csv": _csv(labels)}
        case LabelFormat.JSONL:
            return {"labels.jsonl": _jsonl(labels)}
        case LabelFormat.COCO | LabelFormat.JSON:
            return {"labels.json": write_coco(labels)}
        case LabelFormat.VOC:
            return dict(write_voc(labels))
        case LabelFormat.YOLO:
            return dict(write_yolo(labels))
        case LabelFormat.CVAT:
            [(name, data)] = exported(labels, ExportFormat.CVAT).items()
            # There pictures lie in a folder beside the file, here with it.
            return {name: data.replace(b'name="images/', b'name="').replace(b"name='images/", b"name='")}
        case LabelFormat.LABELSTUDIO:
            data = exported(labels, ExportFormat.LABELSTUDIO)["tasks.json"]
            return {"tasks.json": data.replace(b'"image": "images/', b'"image": "')}


def pictured(labels: LabelSet) -> tuple[Pictured, ...]:
    """The images of a set, as an export is written from."""
    return tuple(
        Pictured(
            name=image.file_name,
            sample_id=hashlib.sha256(image.file_name.encode()).hexdigest(),
            width=image.width,
            height=image.height,
            annotation=image.annotation,
            part="train",
        )
        for image in labels.items
    )


def exported(labels: LabelSet, export_format: ExportFormat) -> dict[str, bytes]:
    """The files of an export by their names."""
    given = pictured(labels)
    export = LabelExport(labels.class_names, lambda: iter(given))
    return {name: b"".join(chunks) for name, chunks in export_files(export_format, export)}


def lay_out(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def _csv(labels: LabelSet) -> bytes:
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow(["x", "y"])
    for item in labels.items:
        name = item.file_name
        table.writerow([name, format_line("x", item.annotation).removeprefix("x").strip()])
    return out.getvalue().encode()


def _jsonl(labels: LabelSet) -> bytes:
    rows = []
    for item in labels.items:
        boxes = [[box.x1, box.y1, box.x2, box.y2, box.label] for box in item.annotation.boxes]
        rows.append({"x": item.file_name, "y": boxes if item.annotation.label is None else item.annotation.label})
    return "".join(json.dumps(row) + "\n" for row in rows).encode()
