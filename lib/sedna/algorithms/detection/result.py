"""What a training run tells while it runs, and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """One report.

    Attributes:
        iteration: steps done.
        max_iteration: steps planned.
        loss: running mean of the loss.
        learning_rate: of the last step.
        samples_per_second: over the whole run.
        eta_seconds: until ``max_iteration``, at the present speed.
        note: an event in words (resumed, went back, stopped early); empty for a plain report.
    """

    iteration: int
    max_iteration: int
    loss: float
    learning_rate: float
    samples_per_second: float
    eta_seconds: float
    note: str = ""


ProgressCallback = Callable[[TrainingProgress], None]


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        iterations: steps done (the weights kept may be older, see ``best_iteration``).
        loss: running mean of the loss at the end; None if no step was done.
        restores: times training went back to a good state.
        seconds: time spent, over all resumptions.
        bf16: whether bfloat16 was used.
        probe_seconds: seconds a step in float32 and bfloat16; None if the precision was given.
        best_valid: best f1_macro on the validation data; None without early stopping.
        best_iteration: the step whose weights were kept.
        stopped_early: the validation result stopped growing.
    """

    iterations: int
    loss: float | None
    restores: int
    seconds: float
    bf16: bool
    probe_seconds: tuple[float, float] | None
    best_valid: float | None
    best_iteration: int
    stopped_early: bool
