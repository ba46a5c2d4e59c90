"""A trained network as ONE self-describing safetensors file: weights, and a header that says how to use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from sedna.common.atomic import write_atomic
from sedna.common.errors import ModelError, SpecError
from sedna.common.validation import as_error

SUFFIX = ".safetensors"

_VERSION = 1


class ModelHeader(BaseModel):
    """The JSON in the file's metadata; a family adds what its network and its pictures need."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = _VERSION
    class_names: tuple[str, ...]


_Header = TypeVar("_Header", bound=ModelHeader)


def model_path(path: str | Path) -> Path:
    """Where a model is written: a path with that suffix is the file, any other one a folder for ``model.safetensors``.

    Raises:
        SpecError: an ONNX file, which is written beside the model.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        raise SpecError("is no place for a model", where=str(path), hint=f"{path.with_suffix(SUFFIX)}, or a folder")
    return path if path.suffix == SUFFIX else path / f"model{SUFFIX}"


def write_model(path: Path, header: ModelHeader, tensors: Mapping[str, Tensor], *, key: str) -> None:
    """Write the file in one step, whatever device the tensors are on; the folder is made.

    Args:
        key: under which the header stands in the file's metadata.
    """
    weights = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, safetensors.torch.save(weights, {key: header.model_dump_json()}))


def find_model(url: str | Path, *, algorithm: str) -> Path:
    """The model file that a path means: itself, or the only safetensors file in a folder.

    Args:
        algorithm: registered name, for the message.

    Raises:
        ModelError: there is none, or more than one.
    """
    path = Path(url)
    # Whatever its suffix: jobs name their files as they like.
    if path.is_file():
        return path
    found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    if len(found) != 1:
        problem = f"{len(found)} {SUFFIX} files in it" if path.is_dir() else "no such file or folder"
        hint = f"a {SUFFIX} file of {algorithm}.save, or a folder with exactly one"
        raise ModelError(problem, where=str(url), hint=hint)
    return found[0]


def read_model(path: Path, kind: type[_Header], *, key: str, algorithm: str) -> tuple[_Header, dict[str, Tensor]]:
    """Header and tensors of a file of `write_model`, in main memory. Never unpickles anything.

    Raises:
        ModelError: broken, not safetensors, or made by something else.
    """
    wrong = {"where": str(path), "hint": f"a file of {algorithm}.save"}
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = kind.model_validate_json((file.metadata() or {})[key])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except ValidationError as error:
        raise as_error(ModelError, error, what=f"is no {algorithm} model", **wrong) from error
    except (SafetensorError, KeyError, OSError) as error:
        raise ModelError(f"is no {algorithm} model: {error}", **wrong) from error
    if header.version != _VERSION:
        raise ModelError(f"format version {header.version} is unknown", where=str(path), hint=f"version {_VERSION}")
    return header, tensors


def load_classes(
    network: nn.Module,
    weights: Mapping[str, Tensor],
    *,
    head: Sequence[str],
    known: Sequence[str],
    wanted: Sequence[str],
    where: str,
    algorithm: str,
) -> None:
    """Put weights into a network whose classes may be more, or in another order; rows of new classes stay as they are.

    Args:
        head: names of the tensors with one row a class.
        known: classes of the weights, in order.
        wanted: classes of the network, in order.
        where: the file, for the message.

    Raises:
        ModelError: a known class is not wanted, or a tensor does not fit.
    """
    missing = [name for name in known if name not in wanted]
    if missing:
        raise ModelError(
            f"the model knows {', '.join(missing)}, class_names does not",
            where=where,
            hint=f"class_names with at least {', '.join(known)}",
        )
    rows = torch.tensor([list(wanted).index(name) for name in known], dtype=torch.int64)
    merged, fresh = dict(weights), network.state_dict()
    for key in head:
        # A tensor of another shape is left to load_state_dict, which names it; index_copy would fail without a name.
        if key in weights and weights[key].shape == (len(rows), *fresh[key].shape[1:]):
            merged[key] = fresh[key].index_copy(0, rows.to(fresh[key].device), weights[key].to(fresh[key]))
    try:
        network.load_state_dict(merged)
    except RuntimeError as error:
        told = " ".join(str(error).split())  # torch puts every tensor on a line of its own
        raise ModelError(f"weights do not fit: {told}", where=where, hint=f"a file of {algorithm}.save") from error
