"""The formats of label files, by the names that a Dataset, the REST API and the command line share."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["LabelFormat"]


class LabelFormat(StrEnum):
    """A format of label files. ``json`` is upstream's word for ``coco`` in a Dataset."""

    TXT = "txt"
    CSV = "csv"
    JSONL = "jsonl"
    COCO = "coco"
    JSON = "json"
    VOC = "voc"
    YOLO = "yolo"
    CVAT = "cvat"
    LABELSTUDIO = "labelstudio"
