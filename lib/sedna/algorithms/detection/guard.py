"""When training has left the rails."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMOOTHING = 0.9
"""Weight of the past in the running mean: about the last ten steps."""

_FLOOR = 0.25
"""Losses this small are noise; growth is measured from at least here."""


@dataclass(frozen=True)
class DivergenceGuard:
    """Follows the loss of a run.

    Rule: training diverges at a step whose loss or gradient norm is not finite, or at which the running mean of the
    loss (weight 0.9 on the past) exceeds ``factor`` times the lowest running mean so far (at least 0.25).
    """

    factor: float
    smoothed: float | None = None
    lowest: float | None = None

    def after(self, loss: float, gradient_norm: float) -> DivergenceGuard | None:
        """The guard after one more step, or None if training diverged at it."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            return None
        smoothed = loss if self.smoothed is None else _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * loss
        lowest = smoothed if self.lowest is None else min(self.lowest, smoothed)
        if smoothed > self.factor * max(lowest, _FLOOR):
            return None
        return DivergenceGuard(self.factor, smoothed, lowest)
