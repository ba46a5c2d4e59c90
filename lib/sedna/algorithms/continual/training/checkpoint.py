"""Where a run over tasks stands, as its checkpoint keeps it."""

from __future__ import annotations

from pydantic import Field

from sedna.algorithms.training.checkpoint import RunState

FILE_NAME = "continual-checkpoint.safetensors"
KEY = "cursor"
"""Of the state in the metadata of the file."""


class TasksRunState(RunState):
    """``run`` is the fingerprint of configuration and data; all numbers of the past are kept here so that a resumed run
    reports the same. ``guard`` is the running mean of the loss of the task, ``first_loss`` what it began with."""

    task: int = 0
    guard: float | None = None
    first_loss: float | None = None
    accuracy: tuple[tuple[float, ...], ...] = ()
    class_il_accuracy: tuple[tuple[float, ...], ...] = ()
    steps: int = 0
    cpu_seconds: float = 0.0
    view_seconds: float = 0.0
    probe: dict[str, float] = Field(default_factory=dict)
