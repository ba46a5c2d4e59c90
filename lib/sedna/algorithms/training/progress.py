"""What a training reports while it runs, whatever it learns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

TASK_DONE, RESUMED = "task done", "resumed"
"""Notes of a run over tasks: ``task`` is learnt, tested and stored; an earlier process had come this far."""


@dataclass(frozen=True)
class TrainingProgress:
    """One report.

    Attributes:
        iteration: steps done, of the current task where there are several.
        max_iteration: steps planned, of the same.
        loss: running mean of the loss; None before the first step.
        learning_rate: of the last step.
        samples_per_second: over the whole run.
        eta_seconds: until the whole run is done, at the present speed; NaN before the first step.
        note: an event in words (resumed, went back, stopped early); empty for a plain report.
        task: the one in work or just done, from 0.
        tasks_done: tasks that are learnt and stored.
        num_tasks: tasks of the run.
        accuracy: percent right, the average over the tasks so far, or that of the current task in the middle of it;
            None if nothing was tested.
    """

    iteration: int
    max_iteration: int
    loss: float | None
    learning_rate: float
    samples_per_second: float
    eta_seconds: float
    note: str = ""
    task: int = 0
    tasks_done: int = 0
    num_tasks: int = 1
    accuracy: float | None = None


OnProgress = Callable[[TrainingProgress], None]


def log_line(progress: TrainingProgress) -> str:
    """One line of text."""
    parts = [f"iteration {progress.iteration}/{progress.max_iteration}"]
    if progress.num_tasks > 1:
        parts.insert(0, f"task {progress.task + 1}/{progress.num_tasks}")
    if progress.loss is not None:
        parts.append(f"loss {progress.loss:.3f}")
    parts += [f"{progress.samples_per_second:.0f} samples/s", f"eta {progress.eta_seconds:.0f} s"]
    if progress.accuracy is not None:
        parts.append(f"accuracy {progress.accuracy:.1f}")
    if progress.note:
        parts.append(progress.note)
    return ", ".join(parts)
