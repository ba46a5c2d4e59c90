"""Whether bfloat16 is worth it on this machine: measured, because the answer differs between processors and shapes."""

from __future__ import annotations

import time

import torch
from torch import nn

from sedna.algorithms.detection.loss import detection_loss
from sedna.algorithms.detection.sampler import Batch

_STEPS = 2
_MIN_GAIN = 1.1
"""bfloat16 loses precision, so it must be at least this much faster."""


def bf16_is_faster(model: nn.Module, batch: Batch) -> tuple[bool, tuple[float, float]]:
    """Compare forward and backward passes of both precisions; weights, statistics and gradients end unchanged.

    Returns:
        The answer, and seconds a step in float32 and bfloat16.
    """
    before = {key: value.detach().clone() for key, value in model.state_dict().items()}
    seconds = (_time(model, batch, bf16=False), _time(model, batch, bf16=True))
    model.load_state_dict(before)
    return seconds[0] > _MIN_GAIN * seconds[1], seconds


def _time(model: nn.Module, batch: Batch, *, bf16: bool) -> float:
    best = float("inf")
    for _ in range(1 + _STEPS):  # the first one also builds kernels; the minimum leaves it out
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits_BNK, distances_BN4 = model(batch.x_BCHW)
        size = (batch.x_BCHW.shape[2], batch.x_BCHW.shape[3])
        detection_loss(logits_BNK, distances_BN4, batch.boxes, size).total.backward()  # type: ignore[no-untyped-call]
        best = min(best, time.perf_counter() - start)
        model.zero_grad(set_to_none=True)
    return best
