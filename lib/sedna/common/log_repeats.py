"""A log in which no warning is repeated faster than a bound: what goes wrong at every tick must not fill a disk."""

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


@dataclass
class _Line:
    since: float
    left_out: int = 0


class RepeatFilter(logging.Filter):
    """Lets a warning or error pass once in ``seconds``; the next one to pass says how many were left out.

    Equal are lines of one logger with one text and, if they have one, one exception.
    """

    def __init__(self, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: OrderedDict[tuple[object, ...], _Line] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING:
            return True
        error = repr(record.exc_info[1]) if record.exc_info else ""
        key = (record.name, record.levelno, record.getMessage(), error)
        now = self._clock()
        with self._lock:
            line = self._lines.get(key)
            if line is not None and now - line.since < self._seconds:
                line.left_out += 1
                self._lines.move_to_end(key)
                return False
            self._lines[key] = _Line(now)
            self._lines.move_to_end(key)
            if len(self._lines) > _REMEMBERED:
                self._lines.popitem(last=False)
        if line is not None and line.left_out:
            record.msg = f"{record.getMessage()} (and {line.left_out} times since)"
            record.args = None
        return True
