"""Pascal VOC files out of labels, in the folders of the challenge's development kit.

``Annotations/<name>.xml`` for every picture of which something is said; one without an ``<object>`` shows nothing.
``ImageSets/Main`` lists names: ``train``, ``val`` (the job's eval part), ``holdout``; ``unlabelled`` and ``excluded``
have no file of annotations.
"""

from __future__ import annotations

from collections.abc import Iterator

from sedna.common.label_format import PictureState
from sedna.labels.export.base import PARTS, ExportFile, LabelExport, Pictured, class_name
from sedna.labels.labelset import LabelledImage
from sedna.labels.layout import stem
from sedna.labels.voc import voc_file

__all__ = ["FOLDER", "SETS", "voc_files"]

FOLDER = "JPEGImages"
SETS = {"train": "train", "eval": "val", "holdout": "holdout"}


def voc_files(labels: LabelExport) -> Iterator[ExportFile]:
    """A file a picture, then the lists."""
    for one in labels.said():
        yield ExportFile(f"Annotations/{stem(one.name)}.xml", iter((_file(one, labels),)))
    for part in PARTS:
        named = (one for one in labels.said() if one.part == part)
        yield ExportFile(f"ImageSets/Main/{SETS[part]}.txt", (f"{stem(one.name)}\n".encode() for one in named))
    for state in (PictureState.UNLABELLED, PictureState.EXCLUDED):
        lines = (f"{stem(one.name)}\n".encode() for one in labels.in_state(state))
        yield ExportFile(f"ImageSets/Main/{state}.txt", lines)


def _file(one: Pictured, labels: LabelExport) -> bytes:
    image: LabelledImage = one.labelled(one.name)
    return voc_file(image, lambda label: class_name(labels.class_names, label))
