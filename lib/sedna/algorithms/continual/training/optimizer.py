"""The optimizer of a run and its learning rate, which starts anew with every task."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from sedna.algorithms.continual.training.config import TrainConfig


def make_optimizer(config: TrainConfig, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """A fresh optimizer over the parameters that learn."""
    learning = [parameter for parameter in parameters if parameter.requires_grad]
    if config.optimizer == "adam":
        return torch.optim.Adam(learning, lr=config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.SGD(
        learning, lr=config.learning_rate, momentum=config.momentum, weight_decay=config.weight_decay
    )


def learning_rate(config: TrainConfig, iteration: int) -> float:
    """Rate of iteration 0 <= k < K.

    step: ``lr * decay ** (number of milestones m with k >= m * K)``; cosine: ``lr * (1 + cos(pi k / K)) / 2``.
    """
    done = iteration / config.iterations
    rate = config.learning_rate
    if config.schedule == "step":
        rate *= config.decay ** sum(iteration >= round(m * config.iterations) for m in config.milestones)
    elif config.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * done))
    # The step counts from 1, or the first one would not move at all.
    if done < config.warmup:
        rate *= (iteration + 1) / max(1.0, config.warmup * config.iterations)
    return rate
