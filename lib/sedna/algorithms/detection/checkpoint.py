"""The whole state of a detector's training: in memory to go back to, on disk to go on from."""

from __future__ import annotations

from pathlib import Path

import torch
from pydantic import field_validator
from torch import Tensor, nn

from sedna.algorithms.training.checkpoint import (
    RunState,
    entries_below,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)

FILE_NAME = "fpn-checkpoint.safetensors"
_KEY = "progress"


class DetectorRunState(RunState):
    """Where a run stands; ``run`` identifies configuration, data and first weights together."""

    channels_last: bool = True  # of checkpoints that do not say: there was no choice then
    smoothed_loss: float | None = None
    lowest_loss: float | None = None
    best_valid: float | None = None
    best_iteration: int = 0
    looks_without_gain: int = 0
    stopped: bool = False
    probe_seconds: dict[str, float] | None = None

    @field_validator("probe_seconds", mode="before")
    @classmethod
    def _name_times(cls, value: object) -> object:
        """Older checkpoints have the two times without their names."""
        if isinstance(value, list | tuple):
            return dict(zip(("fp32 channels_last", "bf16 channels_last"), value, strict=True))
        return value


class Checkpoint:
    """Copies of weights, optimizer state and best weights so far, with the state of the run they belong to."""

    def __init__(self, state: DetectorRunState, tensors: dict[str, Tensor]) -> None:
        self.state = state
        self._tensors = tensors

    @classmethod
    def take(
        cls,
        state: DetectorRunState,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        best: dict[str, Tensor] | None,
    ) -> Checkpoint:
        """Copy everything; later training does not change the checkpoint."""
        tensors = {f"model.{key}": value.detach().clone() for key, value in model.state_dict().items()}
        tensors |= {key: value.detach().clone() for key, value in optimizer_tensors(optimizer).items()}
        # The best weights are copies already, and are replaced, never changed.
        tensors |= {f"best.{key}": value for key, value in (best or {}).items()}
        return cls(state, tensors)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor] | None:
        """Put the copies back, on whatever device the model is; answers the best weights, if any were kept."""
        model.load_state_dict(entries_below(self._tensors, "model."))
        restore_optimizer(optimizer, self._tensors)
        return entries_below(self._tensors, "best.") or None

    def save(self, folder: Path) -> None:
        """Replace the checkpoint of ``folder``, see `write_checkpoint`."""
        write_checkpoint(folder / FILE_NAME, self.state, self._tensors, key=_KEY)

    @classmethod
    def load(cls, folder: Path, run: str) -> Checkpoint | None:
        """The checkpoint of ``folder``; None if there is none. Errors as `read_checkpoint`."""
        stored = read_checkpoint(folder / FILE_NAME, DetectorRunState, run, key=_KEY)
        return None if stored is None else cls(*stored)
