"""Which formats there are to write, and what each of them can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.common.label_format import ExportFormat
from sedna.labels.export.base import ExportFile, LabelExport, Pictured
from sedna.labels.export.coco import coco_files
from sedna.labels.export.cvat import cvat_files
from sedna.labels.export.labelstudio import labelstudio_files
from sedna.labels.export.rows import FOLDER, csv_files, jsonl_files
from sedna.labels.export.voc import FOLDER as VOC_FOLDER
from sedna.labels.export.voc import voc_files
from sedna.labels.export.yolo import folder_of, yolo_files
from sedna.labels.voc import XML_CHARS

__all__ = ["export_files", "is_single_file", "picture_path", "require_writable"]


@dataclass(frozen=True)
class _Format:
    """``single``: one file holds all labels, the first one. ``classes``: it has labels of whole images."""

    write: Callable[[LabelExport], Iterator[ExportFile]]
    folder: Callable[[Pictured], str]
    single: bool = True
    classes: bool = True
    xml: bool = False


def _beside(one: Pictured) -> str:  # noqa: ARG001
    return FOLDER


def _voc_pictures(one: Pictured) -> str:  # noqa: ARG001
    return VOC_FOLDER


_FORMATS = {
    ExportFormat.COCO: _Format(coco_files, _beside, classes=False),
    ExportFormat.VOC: _Format(voc_files, _voc_pictures, single=False, classes=False, xml=True),
    ExportFormat.YOLO: _Format(yolo_files, folder_of, single=False, classes=False),
    ExportFormat.CVAT: _Format(cvat_files, _beside, xml=True),
    ExportFormat.LABELSTUDIO: _Format(labelstudio_files, _beside, xml=True),
    ExportFormat.CSV: _Format(csv_files, _beside),
    ExportFormat.JSONL: _Format(jsonl_files, _beside),
}


def export_files(export_format: ExportFormat, labels: LabelExport) -> Iterator[ExportFile]:
    """The files of an export without its pictures; each is to be read to its end before the next one."""
    return _FORMATS[export_format].write(labels)


def is_single_file(export_format: ExportFormat) -> bool:
    """Whether the first file holds all labels; else they have a file a picture."""
    return _FORMATS[export_format].single


def picture_path(export_format: ExportFormat, one: Pictured) -> str:
    """Where a picture lies beside the label files."""
    return f"{_FORMATS[export_format].folder(one)}/{one.name}"


def require_writable(export_format: ExportFormat, labels: LabelExport) -> None:
    """Find out beforehand what a format cannot hold: an answer that has begun can no longer be refused.

    Raises:
        DataError: it has no labels of whole images, and there are some; a name of a class that XML cannot hold.
    """
    chosen = _FORMATS[export_format]
    if not chosen.classes:
        found = next((one for one in labels.said() if one.annotation and one.annotation.label is not None), None)
        if found is not None:
            able = ", ".join(name for name, row in _FORMATS.items() if row.classes)
            message = f"{export_format} has no labels of whole images, and this job has"
            raise DataError(message, where=f"sample {found.sample_id}", hint=f"one of {able}")
    for name in labels.class_names if chosen.xml else ():
        if not XML_CHARS.fullmatch(name):
            raise DataError(
                f"class {name!r} holds characters that XML cannot hold", hint="rename it, or another format"
            )
