"""Boards on their way to the edges: each streamed once, and a steady load of repeats that runs through every swap."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx

TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class EdgeAddress:
    """Where an edge answers."""

    name: str
    url: str


@dataclass
class Ledger:
    """What clients saw. Guarded by one lock: the numbers are the demo's evidence."""

    requests: int = 0
    failures: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    versions: list[int] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, sample: str, kept: str, version: int) -> None:
        """Note a good answer; ``kept`` is "hard", "audit" or empty."""
        with self._lock:
            self.requests += 1
            if kept:
                self.kept[sample] = kept
            if version not in self.versions:
                self.versions.append(version)

    def failed(self, reason: str) -> None:
        """Note a request without a good answer."""
        with self._lock:
            self.requests += 1
            self.failures.append(reason)


class Traffic:
    """Sends boards to edges over the Open Inference Protocol, as raw images."""

    def __init__(self, edges: Sequence[EdgeAddress], model: str, ledger: Ledger) -> None:
        self._edges = tuple(edges)
        self._model = model
        self._ledger = ledger
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def stream(self, boards: Sequence[Path], progress: Callable[[int], None]) -> None:
        """Send every board once, the edges taking turns; one request at a time per edge, as a camera would."""
        # Every edge gets every so-many-th board, so that all see the whole of a stream and not a part of it.
        shares = [boards[index :: len(self._edges)] for index in range(len(self._edges))]
        sent = itertools.count(1)
        with ThreadPoolExecutor(len(self._edges)) as pool:
            pairs = zip(self._edges, shares, strict=True)
            futures = [pool.submit(self._send_all, edge, share, lambda: progress(next(sent))) for edge, share in pairs]
            for future in futures:
                future.result()

    def start_steady(self, boards: Sequence[Path], *, per_second: float) -> None:
        """Repeat boards on every edge until ``stop``; the same bytes are the same sample, so nothing is kept twice."""
        for edge in self._edges:
            thread = threading.Thread(
                target=self._repeat, args=(edge, boards, 1 / per_second), name=f"steady-{edge.name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End the steady load, and wait for the answers under way. Stopping twice is harmless."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._client.close()

    def _send_all(self, edge: EdgeAddress, boards: Sequence[Path], sent: Callable[[], None]) -> None:
        for board in boards:
            self._send(edge, board)
            sent()

    def _repeat(self, edge: EdgeAddress, boards: Sequence[Path], pause: float) -> None:
        for board in itertools.cycle(boards):
            if self._stop.wait(pause):
                return
            self._send(edge, board)

    def _send(self, edge: EdgeAddress, board: Path) -> None:
        kind = "image/png" if board.suffix == ".png" else "image/jpeg"
        url = f"{edge.url}/v2/models/{self._model}/infer"
        try:
            response = self._client.post(url, content=board.read_bytes(), headers={"Content-Type": kind})
        except httpx.HTTPError as error:
            self._ledger.failed(f"{edge.name}: {type(error).__name__}: {error}")
            return
        if response.status_code != httpx.codes.OK:
            self._ledger.failed(f"{edge.name}: HTTP {response.status_code}: {response.text[:200]}")
            return
        said = response.json()["parameters"]
        self._ledger.answered(said["sample_id"], said["kept"], int(said["model_version"]))
