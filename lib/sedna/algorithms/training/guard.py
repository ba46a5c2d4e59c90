"""When training has left the rails."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SMOOTHING = 0.9
"""Weight of the past in the running mean: about the last ten steps."""


@dataclass(frozen=True)
class DivergenceGuard:
    """Follows the loss of one task.

    Rule: training diverges at a step whose loss or gradient norm is not finite, or at which the running mean of the
    loss exceeds ``limit``. The limit is a multiple of ln(number of classes), the loss of guessing: comparing with
    earlier losses would not do, because the loss rightly jumps when a new task or a new loss term begins.
    """

    limit: float
    smoothed: float | None = None

    @classmethod
    def for_classes(cls, factor: float, num_classes: int) -> DivergenceGuard:
        """A guard with limit ``factor * ln(num_classes)``."""
        return cls(factor * math.log(max(2, num_classes)))

    def after(self, loss: float, gradient_norm: float) -> DivergenceGuard | None:
        """The guard after one more step, or None if training diverged at it."""
        if not (math.isfinite(loss) and math.isfinite(gradient_norm)):
            return None
        smoothed = loss if self.smoothed is None else _SMOOTHING * self.smoothed + (1 - _SMOOTHING) * loss
        return None if smoothed > self.limit else DivergenceGuard(self.limit, smoothed)
