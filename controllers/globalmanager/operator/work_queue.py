"""Keys of objects to look at: each once, one look at a time, after an error later and later."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from sedna.common.clock import Clock

__all__ = ["BACKOFF_S", "WorkQueue"]

BACKOFF_S: Final = (1.0, 2.0, 5.0, 15.0, 60.0)
"""After the first, second, ... error in a row of one key."""

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """A set of keys with the time at which each is due. For many threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._busy: set[K] = set()
        self._failures: dict[K, int] = {}
        self._changed = threading.Condition()
        self._closed = False

    def add(self, key: K, after_s: float = 0.0) -> None:
        """Look at ``key`` in ``after_s`` seconds, or sooner if that is already meant."""
        with self._changed:
            due = self._clock.monotonic() + after_s
            if key in self._due and self._due[key] <= due:
                return
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._changed.notify()

    def take(self, timeout_s: float) -> K | None:
        """A key that is due and that nobody looks at; None when there is none for ``timeout_s`` seconds.

        `done` or `failed` gives it back. What is added meanwhile is looked at after that.
        """
        with self._changed:
            key = self._pop()
            if key is None and timeout_s > 0 and not self._closed:
                self._changed.wait(min(timeout_s, self._pause(timeout_s)))
                key = self._pop()
            if key is not None:
                self._busy.add(key)
            return key

    def done(self, key: K) -> None:
        """The look went well."""
        with self._changed:
            self._busy.discard(key)
            self._failures.pop(key, None)
            self._changed.notify()

    def failed(self, key: K, *, at_least_s: float = 0.0, at_most_s: float = BACKOFF_S[-1]) -> float:
        """The look failed: again later. Returns in how many seconds."""
        with self._changed:
            self._busy.discard(key)
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
        wait = max(min(BACKOFF_S[min(failures, len(BACKOFF_S) - 1)], at_most_s), at_least_s)
        self.add(key, wait)
        return wait

    def has_failed(self, key: K) -> bool:
        """Whether the last look at ``key`` failed."""
        with self._changed:
            return key in self._failures

    def retry(self) -> None:
        """Look at everything at once that failed: what stood in the way may be gone."""
        with self._changed:
            failed = [key for key in self._failures if key in self._due]
        for key in failed:
            self.add(key)

    def clear(self) -> None:
        """Forget everything that waits."""
        with self._changed:
            self._due.clear()
            self._heap.clear()
            self._failures.clear()

    def close(self) -> None:
        """Wake everybody who waits, for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        with self._changed:
            return len(self._due)

    @property
    def failing(self) -> int:
        """Keys whose last look failed."""
        with self._changed:
            return len(self._failures)

    def _pop(self) -> K | None:
        now, held = self._clock.monotonic(), []
        found = None
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            if self._due.get(entry[2]) != entry[0]:
                continue  # taken, or meant sooner since
            if entry[2] in self._busy:
                held.append(entry)
                continue
            found = entry[2]
            del self._due[found]
            break
        for entry in held:
            heapq.heappush(self._heap, entry)
        return found

    def _pause(self, longest_s: float) -> float:
        waiting = [due for due, _, key in self._heap if key not in self._busy]
        return max(0.001, min(waiting) - self._clock.monotonic()) if waiting else longest_s
