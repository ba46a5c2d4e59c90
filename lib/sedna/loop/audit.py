"""How good is the model in service? Its own recorded answers against the labels that came later."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sedna.common.types import Annotation, Box, Prediction
from sedna.loop.observation import AuditMetrics

IOU = 0.5


def iou(a: Box, b: Box) -> float:
    """Intersection over union, in [0, 1]."""
    width = min(a.x2, b.x2) - max(a.x1, b.x1)
    height = min(a.y2, b.y2) - max(a.y1, b.y1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / ((a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - shared)


def match_boxes(predicted: Sequence[Box], truth: Sequence[Box], threshold: float = IOU) -> tuple[int, int, int]:
    """Greedy matching by falling score, within a class, each true box at most once.

    Returns:
        Numbers of true positives, false positives and false negatives.
    """
    free = list(truth)
    hits = 0
    for box in sorted(predicted, key=lambda entry: -(entry.score if entry.score is not None else 1.0)):
        overlaps = [(iou(box, other), index) for index, other in enumerate(free) if other.label == box.label]
        best, index = max(overlaps, default=(0.0, -1))
        if best >= threshold:
            del free[index]
            hits += 1
    return hits, len(predicted) - hits, len(free)


def count_sample(prediction: Prediction, annotation: Annotation) -> tuple[int, int, int]:
    """tp, fp, fn of one sample; a classified sample counts as one hit, or as one false and one missed answer."""
    if annotation.label is not None:
        right = prediction.label == annotation.label
        return (1, 0, 0) if right else (0, 1, 1)
    return match_boxes(prediction.boxes, annotation.boxes)


def audit_metrics(counts: Iterable[tuple[int, int, int]]) -> AuditMetrics:
    """Precision, recall and F1 over samples, from each one's tp, fp, fn (``count_sample``); None where undefined."""
    rows = list(counts)
    tp, fp, fn = (sum(row[column] for row in rows) for column in range(3))

    def ratio(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return AuditMetrics(
        samples=len(rows),
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, tp + fn),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
    )
