"""Which hard examples are worth keeping: not the same scene over and over, not more than people can label."""

from __future__ import annotations

import threading
from collections import deque

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from sedna.edge.counters import NotKept
from sedna.edge.image import Pixels

__all__ = ["HardBudget", "KeepLimits", "difference_hash"]

_HOUR = 3600.0


class KeepLimits(BaseModel):
    """Limits on hard examples of one job. Audit samples are not limited: that would make them a biased choice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_interval_seconds: float = Field(
        default=0.0, ge=0, description="quiet time after a kept one: video, still lines"
    )
    max_per_hour: int | None = Field(default=None, ge=1, description="no more than this in any 60 minutes")
    duplicate_bits: int | None = Field(
        default=None, ge=0, le=64, description="of 64 difference-hash bits, this many or fewer differ: the same scene"
    )
    duplicate_memory: int = Field(default=500, ge=1, description="how many kept ones a new one is compared with")


class HardBudget:
    """Applies `KeepLimits`. Safe for several threads."""

    def __init__(self, limits: KeepLimits) -> None:
        self._limits = limits
        self._lock = threading.Lock()
        self._last: float | None = None
        self._times: deque[float] = deque()
        self._hashes: deque[int] = deque(maxlen=limits.duplicate_memory)

    def take(self, pixels: Pixels, now: float) -> NotKept | None:
        """Take one from the budget; the reason if it must not be kept.

        Args:
            pixels: the image.
            now: monotonic seconds.
        """
        limits = self._limits
        look = difference_hash(pixels) if limits.duplicate_bits is not None else 0
        with self._lock:
            while self._times and self._times[0] <= now - _HOUR:
                self._times.popleft()
            if self._last is not None and now - self._last < limits.min_interval_seconds:
                return NotKept.INTERVAL
            if limits.max_per_hour is not None and len(self._times) >= limits.max_per_hour:
                return NotKept.BUDGET
            if limits.duplicate_bits is not None:
                if any((look ^ other).bit_count() <= limits.duplicate_bits for other in self._hashes):
                    return NotKept.DUPLICATE
                self._hashes.append(look)
            if limits.max_per_hour is not None:
                self._times.append(now)
            self._last = now
            return None


def difference_hash(pixels: Pixels) -> int:
    """64 bits: is each cell of a grey 8 x 9 thumbnail brighter than its right neighbour? Alike scenes differ in few."""
    small = np.asarray(Image.fromarray(pixels).convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return int.from_bytes(np.packbits(small[:, :-1] > small[:, 1:]).tobytes())
