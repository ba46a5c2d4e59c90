"""Counts of one job on this edge: the one source of heartbeats and metrics."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CounterSnapshot", "JobCounters", "NotKept"]


class NotKept(StrEnum):
    """Why an image that was picked did not reach the spool."""

    KNOWN = "known"
    """The same bytes were kept before."""
    DUPLICATE = "near-duplicate"
    """It looks like one that was kept lately."""
    INTERVAL = "min-interval"
    """Too soon after the last hard one."""
    BUDGET = "hourly-budget"
    """This hour's share of hard ones is used up."""
    STORAGE = "storage"
    """The spool has no room."""


@dataclass(frozen=True, slots=True)
class CounterSnapshot:
    """All counts since the process started. ``requests`` and ``requests_failed`` by HTTP status."""

    requests: dict[int, int]
    frames: int
    hard: int
    audit: int
    miner_errors: int
    kept: dict[str, int]
    not_kept: dict[str, int]

    @property
    def requests_total(self) -> int:
        """Requests that were read."""
        return sum(self.requests.values())

    @property
    def requests_failed(self) -> int:
        """Requests that were answered with an error."""
        return sum(count for status, count in self.requests.items() if status >= 400)


class JobCounters:
    """Counts from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plain: Counter[str] = Counter()
        self._requests: Counter[int] = Counter()
        self._kept: Counter[str] = Counter()
        self._not_kept: Counter[str] = Counter()

    def request(self, status: int) -> None:
        """A request was answered with this HTTP status."""
        with self._lock:
            self._requests[status] += 1

    def frame(self, *, hard: bool, audit: bool, miner_error: bool) -> None:
        """An image was predicted and judged."""
        with self._lock:
            self._plain["frames"] += 1
            self._plain["hard"] += hard
            self._plain["audit"] += audit
            self._plain["miner_errors"] += miner_error

    def kept(self, picked: str) -> None:
        """An image reached the spool."""
        with self._lock:
            self._kept[picked] += 1

    def not_kept(self, why: NotKept) -> None:
        """An image was picked and did not reach the spool."""
        with self._lock:
            self._not_kept[why] += 1

    def snapshot(self) -> CounterSnapshot:
        """All counts of one moment."""
        with self._lock:
            return CounterSnapshot(
                requests=dict(self._requests),
                frames=self._plain["frames"],
                hard=self._plain["hard"],
                audit=self._plain["audit"],
                miner_errors=self._plain["miner_errors"],
                kept=dict(self._kept),
                not_kept=dict(self._not_kept),
            )
