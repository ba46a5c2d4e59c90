"""The whole state of a run in one safetensors file: tensors, and where the run stands. Replaced in one step.

Random numbers are not part of it: every step derives its own from the seed and its place in the run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from sedna.common.atomic import write_atomic
from sedna.common.errors import ConflictError, ModelError
from sedna.common.validation import as_error


class RunState(BaseModel):
    """Where a run stands; a family adds what its own run needs to report the same after a restart.

    Attributes:
        run: identity of the run; a checkpoint of another one is refused.
        iteration: steps done since the start of the run, or of its current task.
        restores: times it went back after divergence; part of the seed of every later step.
        rate_scale: what the planned rate is multiplied by since.
        bf16, channels_last: chosen before the first step, and kept: a resumed run that measured anew might choose
            differently, and end with other bits.
        seconds: time spent, over all resumptions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: str
    iteration: int = 0
    restores: int = 0
    rate_scale: float = 1.0
    bf16: bool = False
    channels_last: bool = False
    seconds: float = 0.0


_State = TypeVar("_State", bound=RunState)


def write_checkpoint(path: Path, state: RunState, tensors: Mapping[str, Tensor], *, key: str) -> None:
    """Replace the file: a reader or a crash sees the old one or the new one. The folder is made.

    Args:
        key: under which ``state`` stands in the file's metadata.

    Raises:
        StorageFullError: no space; the old file is unchanged.
    """
    # safetensors refuses tensors that share memory or are not contiguous; a GPU's must open on a CPU.
    copies = {
        name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, safetensors.torch.save(copies, {key: state.model_dump_json()}))


def read_checkpoint(path: Path, kind: type[_State], run: str, *, key: str) -> tuple[_State, dict[str, Tensor]] | None:
    """State and tensors, in main memory; None if there is no such file.

    Raises:
        ConflictError: it belongs to a run with another configuration, other data or other first weights.
        ModelError: the file is no checkpoint.
    """
    if not path.exists():
        return None
    wrong = {"where": str(path), "hint": "delete it to start anew"}
    try:
        with safetensors.safe_open(path, "pt") as file:
            state = kind.model_validate_json((file.metadata() or {})[key])
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a mapping
    except ValidationError as error:
        raise as_error(ModelError, error, what="is no checkpoint", **wrong) from error
    except (SafetensorError, KeyError) as error:
        raise ModelError(f"is no checkpoint: {error}", **wrong) from error
    if state.run != run:
        raise ConflictError(
            "the checkpoint belongs to a run with another configuration, other data or other first weights",
            where=str(path),
            hint="use an empty folder, or delete the file to start anew",
        )
    return state, tensors


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The moments of an optimizer as ``optimizer.<parameter>.<slot>``. Rates are no part: a step sets its own."""
    return {
        f"optimizer.{index}.{slot}": value
        for index, slots in optimizer.state_dict()["state"].items()
        for slot, value in slots.items()
        if isinstance(value, Tensor)
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Put copies of what `optimizer_tensors` gave back, on the device of the parameters."""
    slots: dict[int, dict[str, Tensor]] = {}
    for key, value in entries_below(tensors, "optimizer.").items():
        index, slot = key.split(".", 1)
        slots.setdefault(int(index), {})[slot] = value.clone()
    optimizer.load_state_dict({"state": slots, "param_groups": optimizer.state_dict()["param_groups"]})


def entries_below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The entries whose name begins with a prefix, without it."""
    return {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
