"""What the user sees while the demo runs: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from globalmanager.demo.figures import DemoFigures

LOG_LINES = 14
REFRESH_PER_SECOND = 4


@dataclass
class EdgeLine:
    """One edge's counters."""

    model: int | None = None
    state: str = "starting"
    requests: int = 0
    hard: int = 0
    audit: int = 0
    uploaded: int = 0


@dataclass
class TrainingLine:
    """The training under way."""

    iteration: int
    iterations: int
    loss: float
    eta_seconds: float


@dataclass
class Screen:
    """Thread-safe: watchers write, the refresher draws."""

    console: Console
    title: str
    edges: dict[str, EdgeLine] = field(default_factory=dict)
    frames: tuple[int, int] = (0, 0)
    labelled: int = 0
    stage: str = "starting"
    trigger: str = ""
    training: TrainingLine | None = None
    _log: deque[str] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: float = field(default_factory=time.monotonic)
    _live: Live | None = None

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live = Live(
                get_renderable=self._draw, console=self.console, refresh_per_second=REFRESH_PER_SECOND, transient=True
            )
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, trace)
            for line in self._log:
                self.console.print(Text.from_markup(line))

    def say(self, text: str, style: str = "") -> None:
        """Add a line to the log; ``style`` is a rich style."""
        stamp = f"[dim]{time.monotonic() - self._started:6.1f} s[/dim] "
        escaped = text.replace("[", r"\[")
        line = stamp + (f"[{style}]{escaped}[/{style}]" if style else escaped)
        with self._lock:
            self._log.append(line)
        if self._live is None:
            self.console.print(Text.from_markup(line), soft_wrap=True)

    def _draw(self) -> RenderableType:
        with self._lock:
            log = Text.from_markup("\n".join(self._log))
        parts: list[RenderableType] = [self._edges(), self._status()]
        if self.training is not None:
            parts.append(self._progress(self.training))
        parts.append(log)
        return Panel(Group(*parts), title=self.title, border_style="blue")

    def _edges(self) -> Table:
        table = Table(expand=True, box=None, header_style="dim")
        for heading in ("edge", "model", "state", "requests", "hard", "audit", "uploaded"):
            table.add_column(heading, justify="left" if heading in ("edge", "state") else "right")
        for name, line in sorted(self.edges.items()):
            model = "-" if line.model is None else f"v{line.model}"
            counts = (str(count) for count in (line.requests, line.hard, line.audit, line.uploaded))
            table.add_row(name, model, line.state, *counts)
        return table

    def _status(self) -> Text:
        done, total = self.frames
        text = Text(f"frames {done}/{total}   labelled {self.labelled}   loop: {self.stage}\n", style="bold")
        return text.append(f"trigger {self.trigger}\n", style="dim")

    def _progress(self, training: TrainingLine) -> Table:
        row = Table.grid(padding=(0, 1))
        row.add_row(
            "training",
            ProgressBar(total=training.iterations, completed=training.iteration, width=40),
            f"{training.iteration}/{training.iterations}",
            f"loss {training.loss:.3f}",
            f"ETA {training.eta_seconds:.0f} s\n",
        )
        return row


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def rounds_table(figures: DemoFigures) -> RenderableType:
    """A row a round, and below the table why each started and what the gate said."""
    table = Table(title="Rounds", title_justify="left")
    for heading in ("round", "samples (new)", "F1 in service", "F1 candidate", "outcome", "seconds"):
        table.add_column(heading, justify="left" if heading == "outcome" else "right")
    reasons = Table.grid(padding=(0, 1))
    colours = {"Deployed": "green", "Rejected": "red", "Failed": "red"}
    for entry in figures.rounds:
        table.add_row(
            str(entry.round),
            f"{entry.samples} ({entry.new_samples})",
            _score(entry.champion_f1),
            _score(entry.candidate_f1),
            Text(entry.outcome, style=colours.get(entry.outcome, "yellow")),
            f"{sum(entry.seconds.values()):.0f}",
        )
        reasons.add_row(f"round {entry.round}", f"started: {entry.trigger}")
        reasons.add_row("", f"gate: {entry.verdict}")
    return Group(table, reasons)


def summary(figures: DemoFigures) -> Table:
    """The figures that a user asks for first."""
    table = Table.grid(padding=(0, 2))
    rows = {
        "F1 on the frozen hold-out": f"{figures.f1_before:.3f} -> {figures.f1_after:.3f}",
        "requests failed": f"{figures.requests_failed} of {figures.requests}",
        "samples lost": f"{figures.samples_lost} of {figures.samples_spooled} kept",
        "uploaded": f"{figures.bytes_uploaded / 2**20:.1f} MiB",
        "time": f"{figures.seconds:.0f} s",
        "peak memory": f"{figures.peak_rss_mib:.0f} MiB",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
