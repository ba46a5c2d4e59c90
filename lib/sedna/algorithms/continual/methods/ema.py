"""A moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class MovingAverage:
    """``average <- d * average + (1 - d) * weights`` with ``d = min(decay, (1 + n) / (10 + n))`` after n steps, so that
    the first steps are forgotten quickly. Batch norm statistics are averages already and are copied.

    Args:
        decay: 0 makes it a plain copy.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = copy.deepcopy(network).requires_grad_(requires_grad=False).eval()
        self._decay = decay
        self.steps = 0

    @torch.no_grad()
    def update(self, network: nn.Module) -> None:
        """After an optimizer step."""
        self.steps += 1
        decay = min(self._decay, (1 + self.steps) / (10 + self.steps))
        for mine, theirs in zip(self.network.parameters(), network.parameters(), strict=True):
            mine.lerp_(theirs, 1 - decay)
        # Counters among them are whole numbers, of which there is no average.
        for kept, new in zip(self.network.buffers(), network.buffers(), strict=True):
            kept.copy_(new)
