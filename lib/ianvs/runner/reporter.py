"""Progress of a job on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self, TextIO


class Reporter(AbstractContextManager[Any], Protocol):
    """Shows the progress of a job."""

    def update(self, ended: int, running: Mapping[str, tuple[float, str]]) -> None:
        """How many test cases ended; for each running one by title: its fraction, and what it does."""
        ...

    def line(self, text: str) -> None:
        """Write a line of its own."""
        ...


def remaining(seconds: float, fraction: float, before: float = 0.0) -> float | None:
    """Seconds to go, from the seconds in which the done fraction grew from ``before``; None while that says nothing."""
    grown = fraction - before
    # Below two percent the start of the process outweighs the work, and the guess would be hours off.
    return None if grown <= 0.02 else seconds * (1 - fraction) / grown


def duration(seconds: float | None) -> str:
    """``1:05:09`` or ``5:09``; a dash for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class LineReporter:
    """A line whenever a test case does something new."""

    def __init__(self, total: int, out: TextIO | None = None) -> None:
        self._total = total
        self._out = out if out is not None else sys.stderr
        self._started = time.monotonic()
        self._shown: dict[str, str] = {}
        # What a resumed run found done took no time of this run, so that it must not count in the time to go.
        self._before: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def update(self, ended: int, running: Mapping[str, tuple[float, str]]) -> None:
        share = (ended + sum(fraction for fraction, _ in running.values())) / self._total
        if self._before is None:
            self._before = share
        left = duration(remaining(time.monotonic() - self._started, share, self._before))
        for title, (_, text) in running.items():
            if text and self._shown.get(title) != text:
                self._shown[title] = text
                self.line(f"[{ended}/{self._total} done, {left} left] {title}: {text}")

    def line(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()


class BarReporter:
    """A bar with the time to go, for a terminal."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.completed:.1f}/{task.total:.0f} test cases"),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
        )
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def update(self, ended: int, running: Mapping[str, tuple[float, str]]) -> None:
        done = ended + sum(fraction for fraction, _ in running.values())
        text = "; ".join(f"{title}: {stage}" for title, (_, stage) in running.items())
        self._bar.update(self._task, completed=done, description=text)

    def line(self, text: str) -> None:
        self._bar.console.print(text, markup=False, highlight=False)


def make_reporter(total: int) -> Reporter:
    """The reporter that fits standard error."""
    return BarReporter(total) if sys.stderr.isatty() else LineReporter(total)
