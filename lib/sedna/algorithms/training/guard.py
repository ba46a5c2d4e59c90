"""When training has left the rails."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

_SMOOTHING = 0.9
"""Weight of the past in the running mean: about the last ten steps."""

_FLOOR = 0.25
"""Losses this small are noise; growth is measured from at least here."""


@dataclass(frozen=True)
class DivergenceGuard:
    """Follows the loss of a training.

    Rule: training diverges at a step whose loss or gradient norm is not finite, or at which the running mean of the
    loss (weight 0.9 on the past) exceeds one of two bounds.

    Args:
        growth: bound as a multiple of the lowest running mean so far (at least 0.25); for a loss that falls all the
            way.
        ceiling: bound as it is; for a loss that rightly jumps, when a new task or a new term of the loss begins.
        smoothed, lowest: running mean now, and its lowest value; what a checkpoint keeps.
    """

    growth: float = math.inf
    ceiling: float = math.inf
    smoothed: float | None = None
    lowest: float | None = None

    def after(self, loss: float, gradient_norm: float) -> DivergenceGuard | None:
        """The guard after one more step, or None if training diverged at it."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            return None
        smoothed = loss if self.smoothed is None else _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * loss
        lowest = smoothed if self.lowest is None else min(self.lowest, smoothed)
        if smoothed > min(self.ceiling, self.growth * max(lowest, _FLOOR)):
            return None
        return replace(self, smoothed=smoothed, lowest=lowest)


def loss_ceiling(factor: float, num_classes: int, first: float | None) -> float:
    """``factor * max(ln(num_classes), first)``: a multiple of the loss of a classifier that guesses, or of the loss
    with which this training began. Infinite where ``first`` is not known yet.

    The second, because a network that was trained on other classes is surer than a guess, and wrong: its first loss on
    new ones says nothing about divergence, however large it is.
    """
    if first is None:
        return math.inf
    return factor * max(math.log(max(2, num_classes)), first)
