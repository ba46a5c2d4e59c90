"""How long to wait after failures: longer each time, never in step with other edges."""

from __future__ import annotations

import random
from typing import Final

__all__ = ["Backoff"]

_LEAST_SHARE: Final = 0.5


class Backoff:
    """Doubles from ``initial`` to ``maximum`` seconds; each wait is a random half to whole of it.

    The random part keeps a thousand edges from coming back in the same second after an outage. It takes no clock:
    the caller adds the result to its own.
    """

    def __init__(self, initial: float, maximum: float, random_source: random.Random | None = None) -> None:
        if not 0 < initial <= maximum:
            raise ValueError(f"need 0 < initial <= maximum, got {initial} and {maximum}")
        self._initial = initial
        self._maximum = maximum
        self._random = random_source or random.Random()
        self._next = initial

    def next(self, at_least: float = 0.0) -> float:
        """Seconds to wait after one more failure; not less than ``at_least``, what the other end asked for."""
        wait = self._next * self._random.uniform(_LEAST_SHARE, 1.0)
        self._next = min(self._next * 2, self._maximum)
        return max(wait, at_least)

    def reset(self) -> None:
        """It worked: the next failure waits ``initial`` again."""
        self._next = self._initial
