"""Training loss: focal loss on the scores, generalised IoU on the boxes of positive locations."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss, sigmoid_focal_loss

from sedna.algorithms.detection.assign import assign
from sedna.algorithms.detection.network import decode, locations
from sedna.algorithms.training.distributed import SINGLE, Group


class Loss(NamedTuple):
    """Scalars; ``total`` carries the gradient."""

    total: Tensor
    classification: float
    box: float


def detection_loss(
    logits_BNK: Tensor,
    distances_BN4: Tensor,
    boxes: list[Tensor],
    size: tuple[int, int],
    group: Group = SINGLE,
) -> Loss:
    """Loss of one batch, divided by the number of positive locations (at least 1).

    Args:
        logits_BNK, distances_BN4: output of the detector.
        boxes: per image (M, 5) float32 x1, y1, x2, y2, label, on the CPU; M = 0 is a picture with nothing on it.
        size: height and width of the network's input, pixels.
        group: processes whose shares make up the batch: positive locations are counted in all of them, so that the
            loss of the batch is the sum over the processes.
    """
    device = logits_BNK.device
    points_N2, strides_N = locations(*size)
    target_BNK = torch.zeros(logits_BNK.shape, dtype=logits_BNK.dtype)
    # Targets are made on the CPU and moved at once: they are many small steps with answers of unknown length, each of
    # which a GPU would have to be waited for.
    wanted, places = [], []
    for image, boxes_M5 in enumerate(boxes):
        index_N = assign(points_N2, strides_N, boxes_M5)
        positive = torch.nonzero(index_N >= 0).flatten()
        owner = index_N[positive]
        target_BNK[image, positive, boxes_M5[owner, 4].long()] = 1.0
        wanted.append(boxes_M5[owner, :4])
        places.append(positive + image * len(points_N2))
    wanted_P4, places_P = torch.cat(wanted).to(device), torch.cat(places).to(device)
    found_P4 = decode(points_N2.to(device), distances_BN4).flatten(0, 1)[places_P]
    # A batch of plain background has none; its classification loss still counts.
    positives = max(group.total(len(wanted_P4)), 1)
    classification = sigmoid_focal_loss(logits_BNK, target_BNK.to(device), reduction="sum") / positives
    box = generalized_box_iou_loss(found_P4, wanted_P4, reduction="sum") / positives
    return Loss(classification + box, float(classification.detach()), float(box.detach()))
