"""The whole state of a run in one file: tensors, and where the run stands. Replaced atomically."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError, ModelError

FILE_NAME = "continual-checkpoint.safetensors"


class Cursor(BaseModel):
    """Where a run stands. ``run`` is the fingerprint of configuration and data; all numbers of the past are kept here
    so that a resumed run reports the same. Random numbers derive from seed, task, iteration and restores."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    task: int = 0
    iteration: int = 0
    restores: int = 0
    rate_scale: float = 1.0
    guard: float | None = None
    accuracy: tuple[tuple[float, ...], ...] = ()
    class_il_accuracy: tuple[tuple[float, ...], ...] = ()
    steps: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    view_seconds: float = 0.0
    bf16: bool = False
    channels_last: bool = False
    probe: dict[str, float] = {}


def save_checkpoint(folder: Path, cursor: Cursor, state: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint of a folder in one step.

    Raises:
        StorageFullError: no space; the old checkpoint is unchanged.
    """
    # safetensors refuses tensors that share memory or are not contiguous.
    tensors = {key: value.detach().cpu().clone(memory_format=torch.contiguous_format) for key, value in state.items()}
    write_atomic(folder / FILE_NAME, safetensors.torch.save(tensors, {"cursor": cursor.model_dump_json()}))


def load_checkpoint(folder: Path, run: str) -> tuple[Cursor, dict[str, Tensor]] | None:
    """The checkpoint of a folder; None if there is none.

    Raises:
        ConflictError: it belongs to another configuration or other data.
        ModelError: the file is no checkpoint.
    """
    path = folder / FILE_NAME
    if not path.exists():
        return None
    try:
        with safetensors.safe_open(path, "pt") as file:
            cursor = Cursor.model_validate_json((file.metadata() or {})["cursor"])
            state = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, ValidationError) as error:
        raise ModelError(f"is no checkpoint: {error}", where=str(path), hint="delete it to start anew") from error
    if cursor.run != run:
        raise ConflictError(
            "the checkpoint belongs to a run with another configuration or other data",
            where=str(path),
            hint="use an empty work folder, or delete the file to start anew",
        )
    return cursor, state
