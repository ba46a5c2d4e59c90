"""Training loss: focal loss on the scores, generalised IoU on the boxes of positive locations."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from sedna.algorithms.detection.assign import assign
from sedna.algorithms.detection.network import decode, locations


class Loss(NamedTuple):
    """Scalars; ``total`` carries the gradient."""

    total: Tensor
    classification: float
    box: float


def detection_loss(logits_BNK: Tensor, distances_BN4: Tensor, boxes: list[Tensor], size: tuple[int, int]) -> Loss:
    """Loss of one batch, divided by the number of positive locations (at least 1).

    Args:
        logits_BNK, distances_BN4: output of the detector.
        boxes: per image (M, 5) float32 x1, y1, x2, y2, label; M = 0 is a picture with nothing on it.
        size: height and width of the network's input, pixels.
    """
    points_N2, strides_N = locations(*size)
    target_BNK = torch.zeros_like(logits_BNK)
    wanted, found = [], []
    predicted_BN4 = decode(points_N2, distances_BN4)
    for image, boxes_M5 in enumerate(boxes):
        index_N = assign(points_N2, strides_N, boxes_M5)
        positive = torch.nonzero(index_N >= 0).flatten()
        owner = index_N[positive]
        target_BNK[image, positive, boxes_M5[owner, 4].long()] = 1.0
        wanted.append(boxes_M5[owner, :4])
        found.append(predicted_BN4[image, positive])
    wanted_P4, found_P4 = torch.cat(wanted), torch.cat(found)
    positives = max(len(wanted_P4), 1)
    classification = sigmoid_focal_loss(logits_BNK, target_BNK, reduction="sum") / positives
    box = generalized_box_iou_loss(found_P4, wanted_P4, reduction="sum") / positives
    return Loss(classification + box, float(classification.detach()), float(box.detach()))
