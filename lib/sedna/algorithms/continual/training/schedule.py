"""The learning rate within a task. Pure: a function of the iteration, restarted with every task."""

from __future__ import annotations

import math

from sedna.algorithms.continual.training.config import TrainConfig


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
    if done < config.warmup:
        rate *= (iteration + 1) / max(1.0, config.warmup * config.iterations)
    return rate
