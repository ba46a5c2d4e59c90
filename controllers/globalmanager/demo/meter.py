"""Peak memory of everything that belongs to a run."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

PERIOD_SECONDS = 0.5


class MemoryMeter:
    """Samples the resident memory of this process, its descendants, and the service's workers.

    Workers outlive the service, so they are no descendants; their supervisors leave their process ids in the work
    folder. Pages that processes share count for each of them.

    Args:
        work_dir: folder of the service's workers.
    """

    def __init__(self, work_dir: Path) -> None:
        self._work_dir = work_dir
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
        while True:
            self._peak = max(self._peak, sum(_resident(process) for process in self._processes()))
            if self._stop.wait(PERIOD_SECONDS):
                return

    def _processes(self) -> set[psutil.Process]:
        roots = [psutil.Process(), *self._supervisors()]
        found = set(roots)
        for root in roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                found.update(root.children(recursive=True))
        return found

    def _supervisors(self) -> Iterator[psutil.Process]:
        for note in self._work_dir.glob("*/supervisor.json"):
            if (note.parent / "exit.json").exists():
                continue  # it has ended, and its id may be somebody else's by now
            with contextlib.suppress(psutil.NoSuchProcess):
                yield psutil.Process(json.loads(note.read_text())["pid"])


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0  # it ended between being listed and being read
