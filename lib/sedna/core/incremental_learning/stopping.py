"""SIGTERM in a worker: stop where nothing is lost."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from sedna.common.clock import Clock, SystemClock
from sedna.common.log import LOGGER

__all__ = ["EXIT_STOPPED", "StopRequest", "Stopped"]

EXIT_STOPPED = 128 + signal.SIGTERM


class Stopped(SystemExit):
    """Ends the process with the exit code of a process that SIGTERM ended; no `Exception`, so nothing handles it."""

    def __init__(self) -> None:
        super().__init__(EXIT_STOPPED)


class StopRequest:
    """Turns SIGTERM into the end of the process.

    Outside `at_checkpoints` it ends at once. Inside, it ends at the first `check` after a new checkpoint was written,
    or after the grace period, or at the second signal.
    """

    def __init__(self, grace_seconds: float, clock: Clock | None = None) -> None:
        self._grace = grace_seconds
        self._clock = clock or SystemClock()
        self._folder: Path | None = None
        self._requested_at: float | None = None
        self._seen: frozenset[tuple[str, int]] = frozenset()

    def install(self) -> None:
        """Take over SIGTERM; only in the main thread."""
        signal.signal(signal.SIGTERM, self._on_signal)

    @contextmanager
    def at_checkpoints(self, folder: Path) -> Iterator[None]:
        """Let the block end at its next checkpoint in ``folder``. It has to call `check` now and then."""
        self._folder = folder
        try:
            yield
        finally:
            # A signal after the training must end the process at once again.
            self._folder = None
        if self._requested_at is not None:
            raise Stopped

    def check(self) -> None:
        """End the process if it is time.

        Raises:
            Stopped: a stop was requested, and a checkpoint was written since, or the grace period is over.
        """
        if self._requested_at is None or self._folder is None:
            return
        late = self._clock.monotonic() - self._requested_at >= self._grace
        if late or _state(self._folder) != self._seen:
            LOGGER.info("stopped %s", "without waiting for a checkpoint any longer" if late else "at a checkpoint")
            raise Stopped

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # The second signal is somebody who does not want to wait.
        if self._folder is None or self._requested_at is not None:
            raise Stopped
        self._requested_at = self._clock.monotonic()
        # What is there now is not new: the checkpoint to wait for differs from it.
        self._seen = _state(self._folder)
        LOGGER.info("asked to stop; waiting for the next checkpoint")


def _state(folder: Path) -> frozenset[tuple[str, int]]:
    """Names and change times of the files in a folder."""
    found = set()
    for path in folder.rglob("*"):
        try:
            found.add((str(path), path.stat().st_mtime_ns))
        except FileNotFoundError:  # a temporary file was renamed just now
            continue
    return frozenset(found)
