"""What is measured while a test case runs: rounds, times, bytes, energy. System metrics are computed from it."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from sedna.common.types import Value


class RoundRecord(Value):
    """One piece of the stream, or the final test. Times in seconds, sizes in bytes."""

    piece: str
    inferences: int
    hard: int
    audited: int = 0
    hard_by_edge: dict[str, int] = Field(default_factory=dict)
    latency_mean: float = 0.0
    uplink_bytes: int = 0
    downlink_bytes: int = 0
    serving: int | None = Field(default=None, description="model version that answered")
    round: int | None = Field(default=None, description="round of the loop, if one was opened")
    candidate: int | None = None
    trained_on: int = 0
    replayed: int = 0
    train_seconds: float = 0.0
    candidate_metrics: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)
    serving_metrics: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)
    outcome: str | None = None
    reason: str = ""


@dataclass
class Stopwatch:
    """Seconds spent inside the algorithm's and the metrics' code; nested calls count once."""

    inside: float = 0.0
    _depth: int = 0

    @contextlib.contextmanager
    def algorithm(self) -> Iterator[None]:
        """Count the body."""
        started = time.perf_counter()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self.inside += time.perf_counter() - started


@dataclass
class Measurements:
    """Everything that system metrics may read.

    ``transfers`` is what upstream hands to them: for each inference pass its answers and its hard examples.
    """

    transfers: list[tuple[dict[Any, Any], list[tuple[str, str]]]] = field(default_factory=list)
    rounds: list[RoundRecord] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    train_seconds: float = 0.0
    peak_memory_bytes: int = 0
    energy_joules: float | None = None
    matrix: tuple[tuple[float, ...], ...] = ()
    """Row r, column t: share of right answers on task t after r tasks; NaN where a method cannot answer yet."""

    @property
    def uplink_bytes(self) -> int:
        """Bytes of samples that edges sent."""
        return sum(record.uplink_bytes for record in self.rounds)

    @property
    def downlink_bytes(self) -> int:
        """Bytes of models that edges took."""
        return sum(record.downlink_bytes for record in self.rounds)

    @property
    def latency_mean(self) -> float | None:
        """Mean seconds of an inference call."""
        return statistics.fmean(self.latencies) if self.latencies else None

    @property
    def latency_p95(self) -> float | None:
        """Seconds within which 95 of 100 inference calls ended."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
