"""The clock seam: everything that waits or stamps a time asks a `Clock`, so that tests own the time."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["LONGEST_SPAN", "Clock", "SettableClock", "SystemClock", "span"]


LONGEST_SPAN = timedelta(days=36_500)
"""A hundred years. Longer spans, which descriptions may ask for, lead beyond the last date that there is."""


def span(seconds: float) -> timedelta:
    """``seconds`` as a span of time that can be added to a date; longer ones are as good as `LONGEST_SPAN`."""
    return timedelta(seconds=min(seconds, LONGEST_SPAN.total_seconds()))


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """The current time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start; never goes back, also when the wall clock is corrected."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after ``seconds``; at once if not positive."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)


class SettableClock:
    """A clock that moves only when it is told to. Safe for several threads.

    `sleep` blocks its thread until another thread has moved the clock far enough. With ``auto_advance`` it
    moves the clock itself and returns at once: right for a single-threaded test of a retry loop.
    """

    def __init__(self, start: datetime | None = None, *, auto_advance: bool = False) -> None:
        start = start if start is not None else datetime(2026, 1, 1, tzinfo=UTC)
        if start.tzinfo is None:
            raise ValueError(f"SettableClock needs an aware datetime, got {start!r}")
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._auto_advance = auto_advance
        self._sleepers = 0
        self._moved = threading.Condition()

    def now(self) -> datetime:
        with self._moved:
            return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        with self._moved:
            return self._elapsed

    def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            return
        if self._auto_advance:
            self.advance(seconds)
            return
        with self._moved:
            wake_at = self._elapsed + seconds
            # Counted before the wait: `wait_for_sleepers` must not miss one that is about to sleep.
            self._sleepers += 1
            self._moved.notify_all()
            try:
                self._moved.wait_for(lambda: self._elapsed >= wake_at)
            finally:
                self._sleepers -= 1

    def advance(self, by: float | timedelta) -> datetime:
        """Move the clock forward and wake the sleepers whose time has come; returns the new time.

        Raises:
            ValueError: ``by`` is negative; a monotonic clock cannot go back.
        """
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if seconds < 0:
            raise ValueError(f"cannot advance by {seconds} s: time does not go back")
        with self._moved:
            self._elapsed += seconds
            self._moved.notify_all()
            return self._start + timedelta(seconds=self._elapsed)

    def wait_for_sleepers(self, count: int, timeout: float = 10.0) -> bool:
        """Block (in real time) until ``count`` threads sleep on this clock; False after ``timeout``
        seconds."""
        with self._moved:
            return self._moved.wait_for(lambda: self._sleepers >= count, timeout)
