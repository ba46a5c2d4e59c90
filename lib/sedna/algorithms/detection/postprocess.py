"""From raw network output to boxes, in numpy, so that torch and ONNX Runtime share every line of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sedna.common.boxes import iou_matrix

Floats = npt.NDArray[np.float32]
Detection = list[float | int]
"""``[x1, y1, x2, y2, score, label]``, the row upstream's hard example filters read."""

MAX_CANDIDATES = 1000
"""Best-scored (location, class) pairs that enter non-maximum suppression."""


def nms(boxes_N4: Floats, scores_N: Floats, threshold: float) -> npt.NDArray[np.int64]:
    """Greedy non-maximum suppression; indices of the survivors, best score first, ties by position."""
    waiting = np.argsort(-scores_N, kind="stable")
    keep = []
    while len(waiting):
        best, waiting = waiting[0], waiting[1:]
        keep.append(best)
        # One row at a time: few boxes survive, so the whole matrix of pairs would mostly be thrown away.
        waiting = waiting[iou_matrix(boxes_N4[best][None], boxes_N4[waiting])[0] <= threshold]
    return np.asarray(keep, dtype=np.int64)


def select(
    boxes_N4: Floats,
    scores_NK: Floats,
    *,
    score_threshold: float,
    nms_threshold: float,
    max_detections: int,
    size: tuple[int, int],
    scale: float = 1.0,
) -> list[Detection]:
    """Boxes of one picture: threshold, suppress per class, keep the best, go back to the picture's own pixels.

    Args:
        boxes_N4: x1, y1, x2, y2 in pixels of the network's input.
        scores_NK: 0..1 per class.
        score_threshold: pairs below it are dropped.
        nms_threshold: overlap from which the weaker box of the same class is dropped.
        max_detections: rows returned at most.
        size: height and width of the original picture; boxes are clipped to it.
        scale: network pixels per picture pixel.
    """
    places, labels = np.nonzero(scores_NK >= score_threshold)
    scores = scores_NK[places, labels]
    if len(scores) > MAX_CANDIDATES:
        best = np.argsort(-scores, kind="stable")[:MAX_CANDIDATES]
        places, labels, scores = places[best], labels[best], scores[best]
    boxes = boxes_N4[places] / np.float32(scale)
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, size[1])
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, size[0])
    # Boxes of different classes never suppress one another: moved apart by more than the picture's size.
    shift = (labels * (2.0 * max(size) + 1.0)).astype(np.float32)[:, None]
    keep = nms(boxes + shift, scores, nms_threshold)[:max_detections]
    return [
        [*(round(float(v), 2) for v in boxes[i]), round(float(scores[i]), 5), int(labels[i])]
        for i in keep
        if boxes[i, 2] > boxes[i, 0] and boxes[i, 3] > boxes[i, 1]
    ]
