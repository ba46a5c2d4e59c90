"""How a training of the detector ended."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingResult:
    """How a run ended.

    Attributes:
        iterations: steps done (the weights kept may be older, see ``best_iteration``).
        loss: running mean of the loss at the end; None if no step was done.
        restores: times training went back to a good state.
        seconds: time spent, over all resumptions.
        device: where it ran, "cpu" or "cuda".
        bf16, channels_last: number format and layout that were used.
        probe_seconds: seconds a step of each combination that was measured, by name; None if nothing was to choose.
        best_valid: best f1_macro on the validation data; None without early stopping.
        best_iteration: the step whose weights were kept.
        stopped_early: the validation result stopped growing.
    """

    iterations: int
    loss: float | None
    restores: int
    seconds: float
    device: str
    bf16: bool
    channels_last: bool
    probe_seconds: dict[str, float] | None
    best_valid: float | None
    best_iteration: int
    stopped_early: bool
