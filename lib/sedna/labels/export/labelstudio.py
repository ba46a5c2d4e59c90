"""Tasks of Label Studio out of labels, with the model's predictions, and what is worth labelling first.

An unlabelled picture is a task without annotations, one that shows nothing has an annotation without results, and one
that was taken out a cancelled annotation, as Label Studio marks what was skipped. ``data.order`` counts what waits for
a label from 1, by the job's queue; sampling by uncertainty serves low scores of predictions first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from sedna.common.label_format import PictureState
from sedna.common.types import Box
from sedna.labels.export.base import ExportFile, LabelExport, Pictured, class_name

__all__ = ["FOLDER", "labelstudio_files", "labelstudio_task"]

FOLDER = "images"

_PICTURE = "image"
_BOXES = "label"
_CLASS = "class"


def labelstudio_files(labels: LabelExport) -> Iterator[ExportFile]:
    """``tasks.json``, and ``label_config.xml`` for the settings of the project."""
    yield ExportFile("tasks.json", _tasks(labels))
    yield ExportFile("label_config.xml", iter((_config(labels),)))


def labelstudio_task(one: Pictured, class_names: Sequence[str], image: str) -> dict[str, Any]:
    """The task of a picture, which the tool finds under ``image``."""
    data: dict[str, Any] = {_PICTURE: image, "sample_id": one.sample_id}
    if one.order is not None:
        data["order"] = one.order
    meta = {"sample_id": one.sample_id, "state": one.state, "part": one.part}
    task: dict[str, Any] = {"data": data, "meta": meta, "annotations": [], "predictions": []}
    if one.state is PictureState.EXCLUDED:
        task["annotations"].append({"result": [], "was_cancelled": True})
    elif one.annotation is not None:
        result = _result(one, one.annotation.boxes, one.annotation.label, class_names)
        task["annotations"].append({"result": result, "was_cancelled": False})
    if one.prediction is not None and (one.prediction.boxes or one.prediction.label is not None):
        guess: dict[str, Any] = {
            "model_version": str(one.model_version),
            "result": _result(one, one.prediction.boxes, one.prediction.label, class_names),
        }
        if one.confidence is not None:
            guess["score"] = one.confidence
        task["predictions"].append(guess)
    return task


def _tasks(labels: LabelExport) -> Iterator[bytes]:
    before = "[\n"
    for one in labels.pictures():
        task = labelstudio_task(one, labels.class_names, f"{labels.image_url}{FOLDER}/{one.name}")
        yield (before + json.dumps(task, ensure_ascii=False)).encode()
        before = ",\n"
    yield b"\n]\n" if before == ",\n" else b"[]\n"


def _result(one: Pictured, boxes: Sequence[Box], label: int | None, class_names: Sequence[str]) -> list[dict[str, Any]]:
    size = {"original_width": one.width, "original_height": one.height, "image_rotation": 0}
    found: list[dict[str, Any]] = []
    for box in boxes:
        value = {
            "x": 100 * box.x1 / one.width,
            "y": 100 * box.y1 / one.height,
            "width": 100 * (box.x2 - box.x1) / one.width,
            "height": 100 * (box.y2 - box.y1) / one.height,
            "rotation": 0,
            "rectanglelabels": [class_name(class_names, box.label)],
        }
        drawn = {"type": "rectanglelabels", "from_name": _BOXES, "to_name": _PICTURE, **size, "value": value}
        found.append(drawn if box.score is None else {**drawn, "score": box.score})
    if label is not None:
        value = {"choices": [class_name(class_names, label)]}
        found.append({"type": "choices", "from_name": _CLASS, "to_name": _PICTURE, **size, "value": value})
    return found


def _config(labels: LabelExport) -> bytes:
    """The project's configuration: the names above are those that results refer to."""
    is_class = any(one.annotation is not None and one.annotation.label is not None for one in labels.said())
    names = [quoteattr(name) for name in labels.all_class_names()]
    if is_class:
        lines = [f'  <Choices name="{_CLASS}" toName="{_PICTURE}">', *(f"    <Choice value={name}/>" for name in names)]
        lines.append("  </Choices>")
    else:
        lines = [f'  <RectangleLabels name="{_BOXES}" toName="{_PICTURE}">']
        lines += [*(f"    <Label value={name}/>" for name in names), "  </RectangleLabels>"]
    picture = f'  <Image name="{_PICTURE}" value="${_PICTURE}"/>'
    return "\n".join(["<View>", picture, *lines, "</View>", ""]).encode()
