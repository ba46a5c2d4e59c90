"""The whole state of a training run as tensors and a JSON header: in memory to go back to, on disk to go on from.

Random numbers are not part of it: every step derives its own from the seed (see ``sampler``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError
from torch import Tensor, nn

from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError, ModelError

FILE_NAME = "fpn-checkpoint.safetensors"


class Progress(BaseModel):
    """Where a run stands. ``run`` identifies configuration, data and first weights together."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    iteration: int = 0
    restores: int = 0
    rate_scale: float = 1.0
    bf16: bool
    smoothed_loss: float | None = None
    lowest_loss: float | None = None
    best_valid: float | None = None
    best_iteration: int = 0
    looks_without_gain: int = 0
    stopped: bool = False
    seconds: float = 0.0
    probe_seconds: tuple[float, float] | None = None


class Snapshot:
    """Copies of weights, optimizer state and best weights so far, with the progress they belong to."""

    def __init__(self, progress: Progress, tensors: dict[str, Tensor]) -> None:
        self.progress = progress
        self._tensors = tensors

    @classmethod
    def take(
        cls, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer, best: dict[str, Tensor] | None
    ) -> Snapshot:
        """Copy the state; later training does not change the snapshot."""
        tensors = {f"model.{key}": value.detach().clone() for key, value in model.state_dict().items()}
        for index, slots in optimizer.state_dict()["state"].items():
            for slot, value in slots.items():
                if isinstance(value, Tensor):
                    tensors[f"optimizer.{index}.{slot}"] = value.detach().clone()
        for key, value in (best or {}).items():
            tensors[f"best.{key}"] = value
        return cls(progress, tensors)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor] | None:
        """Put the copies back; answers the best weights, if any were kept."""
        model.load_state_dict(self._group("model."))
        state: dict[int, dict[str, Any]] = {}
        for key, value in self._group("optimizer.").items():
            index, slot = key.split(".", 1)
            state.setdefault(int(index), {})[slot] = value.clone()
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        return self._group("best.") or None

    def save(self, folder: Path) -> None:
        """Replace the checkpoint of ``folder`` in one step: a reader or a crash sees the old one or the new one."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.contiguous() for key, value in self._tensors.items()}
        data = safetensors.torch.save(tensors, {"progress": self.progress.model_dump_json()})
        write_atomic(folder / FILE_NAME, data)

    @classmethod
    def load(cls, folder: Path, run: str) -> Snapshot | None:
        """The checkpoint of ``folder``; None if there is none.

        Raises:
            ConflictError: it belongs to a run with another configuration, other data or other first weights.
            ModelError: the file is no checkpoint.
        """
        path = folder / FILE_NAME
        if not path.exists():
            return None
        try:
            with safetensors.safe_open(path, "pt") as file:
                progress = Progress.model_validate(json.loads((file.metadata() or {})["progress"]))
                tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        except (SafetensorError, KeyError, ValueError) as error:
            raise ModelError(f"is no checkpoint: {error}", where=str(path), hint="delete it to start anew") from error
        if progress.run != run:
            raise ConflictError(
                "the checkpoint belongs to a run with another configuration, other data or other first weights",
                where=str(path),
                hint="use an empty checkpoint_dir, or delete the file to start anew",
            )
        return cls(progress, tensors)

    def _group(self, prefix: str) -> dict[str, Tensor]:
        return {key[len(prefix) :]: value for key, value in self._tensors.items() if key.startswith(prefix)}
