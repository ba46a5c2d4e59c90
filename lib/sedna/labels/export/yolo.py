"""YOLO files out of labels, as ultralytics lays them out.

``data.yaml`` names the folders of pictures; beside ``images/train/a.jpg`` stands ``labels/train/a.txt``, empty for a
picture that shows nothing. There ``val`` is the job's eval part and ``test`` its hold-out. Pictures without a label
file would be taken for such that show nothing: the unlabelled and excluded ones lie in folders that ``data.yaml`` does
not name, and are listed in ``unlabelled.txt`` and ``excluded.txt``.
"""

from __future__ import annotations

from collections.abc import Iterator

from sedna.common.label_format import PictureState
from sedna.labels.export.base import ExportFile, LabelExport, Pictured
from sedna.labels.layout import stem
from sedna.labels.yolo import yolo_description, yolo_file

__all__ = ["folder_of", "yolo_files"]

_SPLITS = {"train": "train", "eval": "val", "holdout": "holdout"}


def yolo_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``data.yaml``, a file a picture, then the lists."""
    has_holdout = any(one.part == "holdout" for one in labels.said())
    splits = {"train": "images/train", "val": "images/val"} | ({"test": "images/holdout"} if has_holdout else {})
    yield ExportFile("data.yaml", iter((yolo_description(labels.all_class_names(), splits),)))
    for one in labels.said():
        name = f"{folder_of(one).replace('images', 'labels', 1)}/{stem(one.name)}.txt"
        yield ExportFile(name, iter((yolo_file(one.labelled(one.name)),)))
    for state in (PictureState.UNLABELLED, PictureState.EXCLUDED):
        lines = (f"{folder_of(one)}/{one.name}\n".encode() for one in labels.in_state(state))
        yield ExportFile(f"{state}.txt", lines)


def folder_of(one: Pictured) -> str:
    """Where the picture lies."""
    return f"images/{_SPLITS[one.part or 'train'] if one.state.is_said else one.state}"
