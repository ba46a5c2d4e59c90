"""A network small enough to differentiate on paper."""

from __future__ import annotations

import torch
from torch import nn


class Linear(nn.Module):
    """One weight a class on the mean red value."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weights))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW[:, 0].mean((1, 2))[:, None] * self.weight[None]
