"""How far a round is: a bar on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import sys
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

__all__ = ["RoundDisplay"]


class RoundDisplay:
    """Shows rounds as the service describes them; a context manager. On a pipe each change is a line."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stdout, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[detail]}"),
            console=self._console, transient=True, disable=not self._console.is_terminal,
        )  # fmt: skip
        self._task: TaskID | None = None
        self._printed = ""

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def waiting(self, job: str) -> None:
        """No round is under way."""
        self._print_once(f"{job} waits for its trigger")

    def show(self, found: dict[str, Any]) -> None:
        """A round and its workers, as ``GET .../rounds/N`` answers."""
        current = found["round"]
        title = f"round {current['round']}"
        if current["outcome"]:
            self._print_once(f"{title}: {current['outcome']}: {current['outcome_reason'] or ''}")
            return
        self._print_once(f"{title}: {current['stage']}")
        # The newest attempt: the earlier ones have ended.
        worker = found["workers"][-1] if found["workers"] else None
        progress = worker["progress"] if worker is not None and worker["ended_at"] is None else None
        if progress is not None:
            self._show_progress(f"{title} {current['stage'].lower()}", progress)

    def _show_progress(self, title: str, progress: dict[str, Any]) -> None:
        done, total = progress["iteration"], progress["max_iteration"]
        detail = f"{done}/{total}"
        if progress["loss"] is not None:
            detail += f"  loss {progress['loss']:.4g}"
        if progress["eta_seconds"] is not None:
            detail += f"  {_duration(progress['eta_seconds'])} left"
        if not self._console.is_terminal:
            self._print_once(f"{title}: {detail}")
            return
        if self._task is None:
            self._task = self._bars.add_task(title, total=total, detail=detail)
        self._bars.update(self._task, description=title, completed=done, total=total, detail=detail)

    def _print_once(self, text: str) -> None:
        # The service is asked twice a second; a log of a pipe gets a line where something changed.
        if text != self._printed:
            self._printed = text
            self._console.print(text, markup=False)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
