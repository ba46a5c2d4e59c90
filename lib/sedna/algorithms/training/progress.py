"""Messages of a run to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TASK_DONE, RESUMED = "task done", "resumed"
"""Notes of a message: ``task`` is learnt, tested and stored; an earlier process had come this far."""


@dataclass(frozen=True)
class Progress:
    """One message, sent after each virtual epoch, after each task, and when something happens.

    ``task`` is the one in work or just done, from 0; ``iteration`` counts from its start; ``tasks_done`` are stored.
    ``accuracy`` is the average so far, or that of the current task in the middle of one; ``eta_seconds`` is for the
    whole run.
    """

    task: int
    tasks_done: int
    num_tasks: int
    iteration: int
    iterations: int
    loss: float | None
    learning_rate: float
    seconds_per_iteration: float
    eta_seconds: float
    accuracy: float | None = None
    note: str = ""


OnProgress = Callable[[Progress], None]


def log_line(progress: Progress) -> str:
    """One line of text."""
    parts = [
        f"task {progress.task + 1}/{progress.num_tasks}",
        f"iteration {progress.iteration}/{progress.iterations}",
        f"{progress.seconds_per_iteration * 1000:.0f} ms",
        f"eta {progress.eta_seconds:.0f} s",
    ]
    if progress.loss is not None:
        parts.insert(2, f"loss {progress.loss:.3f}")
    if progress.accuracy is not None:
        parts.append(f"accuracy {progress.accuracy:.1f}")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)
