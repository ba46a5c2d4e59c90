"""Peak memory of a process tree."""

from __future__ import annotations

import threading

import psutil

PERIOD_SECONDS = 0.5


class MemoryMeter:
    """Samples the resident memory of this process and all its descendants; pages they share count for each of them.

    Workers in process groups of their own are still descendants, so training is included.
    """

    def __init__(self) -> None:
        self._peak = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory-meter", daemon=True)

    @property
    def peak_mib(self) -> float:
        """The highest sum seen so far."""
        return self._peak / 2**20

    def start(self) -> None:
        """Begin to sample."""
        self._thread.start()

    def stop(self) -> None:
        """Take a last sample and end."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        root = psutil.Process()
        while True:
            self._peak = max(self._peak, sum(_resident(process) for process in (root, *root.children(recursive=True))))
            if self._stop.wait(PERIOD_SECONDS):
                return


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # it ended between being listed and being read
