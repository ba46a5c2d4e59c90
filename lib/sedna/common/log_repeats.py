"""A log in which no line is repeated faster than a bound: what goes wrong at every tick must not fill a disk."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["RepeatFilter"]

_REMEMBERED = 1000
"""Different lines; beyond, the one that was heard of longest ago is forgotten."""

_PER_PLACE = {"trace": 10, "warning": 60, "chatter": 600}
"""Different lines of one place in the code, in the filter's time. One with a trace is some kilobytes long."""


@dataclass
class _Heard:
    """A line, or what one place in the code says, since it was told."""

    since: float
    told: int = 1
    left_out: int = 0


class _Bound:
    """At most so many of one kind in some seconds; remembers the kinds that it heard of last."""

    def __init__(self) -> None:
        self._heard: OrderedDict[object, _Heard] = OrderedDict()

    def take(self, key: object, most: int, now: float, seconds: float) -> int | None:
        """None when it is one too many; otherwise how many were left out before it."""
        heard = self._heard.get(key)
        if heard is not None and now - heard.since < seconds:
            self._heard.move_to_end(key)
            if heard.told >= most:
                heard.left_out += 1
                return None
            heard.told += 1
            return 0
        self._heard[key] = _Heard(now)
        self._heard.move_to_end(key)
        if len(self._heard) > _REMEMBERED:
            self._heard.popitem(last=False)
        return 0 if heard is None else heard.left_out


class RepeatFilter(logging.Filter):
    """Lets a warning or error pass once in ``seconds``, and of the different lines that one place in the code writes
    some; the next one to pass says how many were left out.

    Equal are lines of one logger with one text and, if they have one, one exception.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._lines = _Bound()
        self._places = _Bound()

    def filter(self, record: logging.LogRecord) -> bool:
        error = repr(record.exc_info[1]) if record.exc_info else ""
        warns = record.levelno >= logging.WARNING
        kind = "trace" if error else "warning" if warns else "chatter"
        now, repeated = self._clock(), 0
        with self._lock:
            if warns:
                line = (record.name, record.levelno, record.getMessage(), error)
                found = self._lines.take(line, 1, now, self._seconds)
                if found is None:
                    return False
                repeated = found
            place = (record.name, record.levelno, record.pathname, record.lineno)
            others = self._places.take(place, _PER_PLACE[kind], now, self._seconds)
        if others is None:
            return False
        if repeated:
            self._add(record, f"(and {repeated} times since)")
        elif others:
            self._add(record, f"(and {others} other lines like it since)")
        return True

    def _add(self, record: logging.LogRecord, text: str) -> None:
        record.msg = f"{record.getMessage()} {text}"
        record.args = None
