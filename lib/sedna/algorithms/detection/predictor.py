"""Batched forward passes over pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from sedna.algorithms.detection.network import Detector, decode, locations
from sedna.algorithms.detection.postprocess import Floats
from sedna.algorithms.detection.preprocess import batch_pixels, letterbox, read_picture
from sedna.algorithms.training.samples import Picture


class RawPrediction(NamedTuple):
    """Network output of one picture: boxes in pixels of the network's input, scores in 0..1."""

    boxes_N4: Floats
    scores_NK: Floats
    size: tuple[int, int]
    scale: float


def forward(model: Detector, pictures: Sequence[Picture], side: int, batch_size: int) -> Iterator[RawPrediction]:
    """Raw predictions in order. Only one batch of pixels is in memory at a time.

    Raises:
        DataError: a picture cannot be read; the message names it.
    """
    device = next(model.parameters()).device
    points_N2 = locations(side, side)[0].to(device)
    model.eval()
    for start in range(0, len(pictures), batch_size):
        boxed = [letterbox(read_picture(picture), side) for picture in pictures[start : start + batch_size]]
        x_BCHW = torch.from_numpy(batch_pixels(boxed, side)).to(device).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits_BNK, distances_BN4 = model(x_BCHW)
            boxes_BN4 = decode(points_N2, distances_BN4).cpu().numpy()
            scores_BNK = logits_BNK.sigmoid().cpu().numpy()
        for index, one in enumerate(boxed):
            yield RawPrediction(boxes_BN4[index], scores_BNK[index], one.size, one.scale)
