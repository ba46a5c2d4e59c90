"""The formats of label files, by the names that a Dataset, the REST API and the command line share."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["ExportFormat", "LabelFormat", "PictureState"]


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


class ExportFormat(StrEnum):
    """A format of label files that is written."""

    COCO = "coco"
    VOC = "voc"
    YOLO = "yolo"
    CVAT = "cvat"
    LABELSTUDIO = "labelstudio"
    CSV = "csv"
    JSONL = "jsonl"


class PictureState(StrEnum):
    """What is known of a picture: three ways to have no box, which no format may mix up."""

    LABELLED = "labelled"
    NEGATIVE = "negative"
    UNLABELLED = "unlabelled"
    EXCLUDED = "excluded"

    @property
    def is_said(self) -> bool:
        """Whether a label file says what such a picture shows."""
        return self in (PictureState.LABELLED, PictureState.NEGATIVE)
