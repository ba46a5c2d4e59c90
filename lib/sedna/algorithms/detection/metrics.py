"""How good predictions are: per-class counts by greedy matching, and COCO mAP by faster-coco-eval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from faster_coco_eval import COCO, COCOeval_faster
from pydantic import BaseModel, ConfigDict

from sedna.algorithms.detection.annotations import Boxes
from sedna.algorithms.detection.postprocess import Detection
from sedna.common.boxes import iou_matrix

IOU_THRESHOLD = 0.5
"""A prediction hits a true box of its class from this overlap on."""


class PictureCounts(BaseModel):
    """True positives, false positives and false negatives of one picture, per class."""

    model_config = ConfigDict(frozen=True)

    sample: str
    tp: tuple[int, ...]
    fp: tuple[int, ...]
    fn: tuple[int, ...]


class DetectionMetrics(BaseModel):
    """Figures of a labelled set.

    ``precision``, ``recall`` and ``f1`` are per class, 0.0 where undefined. ``f1_macro`` is the mean over the classes
    that have a true or a predicted box, ``f1_micro`` counts all boxes alike; both are 1.0 when nothing was there
    and nothing was found. ``map`` is COCO's (IoU 0.5 to 0.95), ``map50`` at IoU 0.5.
    """

    model_config = ConfigDict(frozen=True)

    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    precision_micro: float
    recall_micro: float
    f1_macro: float
    f1_micro: float
    map: float
    map50: float
    per_sample: tuple[PictureCounts, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, the form upstream's ``evaluate`` answers."""
        plain: dict[str, Any] = self.model_dump(mode="json")
        return plain


class Scored(NamedTuple):
    """One picture: what was predicted (down to low scores), what is there, how large it is."""

    name: str
    detections: Sequence[Detection]
    truth_M5: Boxes


def match(detections: Sequence[Detection], truth_M5: Boxes, num_classes: int, name: str) -> PictureCounts:
    """Greedy: predictions by falling score, each takes the free true box of its class with the largest overlap."""
    tp, fp, fn = ([0] * num_classes for _ in range(3))
    rows = np.asarray(detections, dtype=np.float32).reshape(-1, 6)
    for label in range(num_classes):
        mine = rows[rows[:, 5] == label]
        mine = mine[np.argsort(-mine[:, 4], kind="stable")]
        theirs = truth_M5[truth_M5[:, 4] == label]
        overlap = iou_matrix(mine[:, :4], theirs[:, :4])
        for rank in range(len(mine)):
            best = int(overlap[rank].argmax()) if len(theirs) else -1
            if best >= 0 and overlap[rank, best] >= IOU_THRESHOLD:
                tp[label] += 1
                overlap[:, best] = -1.0  # a true box is found once
            else:
                fp[label] += 1
        fn[label] = len(theirs) - tp[label]
    return PictureCounts(sample=name, tp=tuple(tp), fp=tuple(fp), fn=tuple(fn))


def measure(scored: Sequence[Scored], num_classes: int, score_threshold: float) -> DetectionMetrics:
    """All figures of a set.

    Args:
        scored: predictions should reach below ``score_threshold``, because mAP integrates over all scores.
        num_classes: K.
        score_threshold: counts, precision, recall and F1 use predictions from it on.
    """
    samples = tuple(
        match([row for row in one.detections if row[4] >= score_threshold], one.truth_M5, num_classes, one.name)
        for one in scored
    )
    tp, fp, fn = (
        np.asarray([getattr(s, key) for s in samples]).reshape(-1, num_classes).sum(0) for key in ("tp", "fp", "fn")
    )
    f1 = _ratio(2 * tp, 2 * tp + fp + fn)
    seen = (tp + fp + fn) > 0
    average, at_half = coco_map(scored, num_classes)
    return DetectionMetrics(
        precision=tuple(_ratio(tp, tp + fp).tolist()),
        recall=tuple(_ratio(tp, tp + fn).tolist()),
        f1=tuple(f1.tolist()),
        precision_micro=float(_ratio(tp.sum(), (tp + fp).sum())),
        recall_micro=float(_ratio(tp.sum(), (tp + fn).sum())),
        f1_macro=float(f1[seen].mean()) if seen.any() else 1.0,
        f1_micro=float(_ratio(2 * tp.sum(), (2 * tp + fp + fn).sum())) if seen.any() else 1.0,
        map=average,
        map50=at_half,
        per_sample=samples,
    )


def coco_map(scored: Sequence[Scored], num_classes: int) -> tuple[float, float]:
    """COCO's average precision (IoU 0.5 to 0.95, 100 boxes a picture) and that at IoU 0.5; 0.0 without any true box."""
    truth = [
        {
            "id": 0, "image_id": image, "category_id": int(row[4]) + 1, "iscrowd": 0,
            "bbox": [float(row[0]), float(row[1]), float(row[2] - row[0]), float(row[3] - row[1])],
            "area": float((row[2] - row[0]) * (row[3] - row[1])),
        }
        for image, one in enumerate(scored, 1)
        for row in one.truth_M5
    ]  # fmt: skip
    found = np.asarray(
        [
            [image, row[0], row[1], row[2] - row[0], row[3] - row[1], row[4], row[5] + 1]
            for image, one in enumerate(scored, 1)
            for row in one.detections
        ],
        dtype=np.float64,
    )
    if not truth or not len(found):
        return 0.0, 0.0
    # COCO matches by id and takes 0 for "not matched", so that numbers begin with 1.
    for number, annotation in enumerate(truth, 1):
        annotation["id"] = number
    reference = COCO(
        {
            "images": [{"id": image} for image in range(1, len(scored) + 1)],
            "annotations": truth,
            "categories": [{"id": label + 1, "name": str(label)} for label in range(num_classes)],
        }
    )
    evaluation = COCOeval_faster(reference, reference.loadRes(found), "bbox", print_function=lambda *_: None)
    evaluation.run()
    average, at_half = (float(value) for value in evaluation.stats[:2])
    return average, at_half


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    part, whole = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.asarray(np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0), dtype=np.float64)
