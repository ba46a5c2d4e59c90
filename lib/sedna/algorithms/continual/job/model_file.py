"""A trained classifier as ONE self-describing safetensors file: weights, and a header that says how to use them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from sedna.algorithms.continual.data.images import Pixels
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.common.atomic import write_atomic
from sedna.common.errors import ModelError, SpecError

SUFFIX = ".safetensors"
_KEY = "sedna.continual"
_SEEN = "seen_samples"
_HEAD = ("head.weight", "head.bias")


class ModelHeader(BaseModel):
    """The JSON in the file's metadata under ``sedna.continual``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = 1
    class_names: tuple[str, ...]
    network: str
    width: int | None
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    flip: bool
    mirror: bool = False
    method: str
    rounds: int = 0


class ModelFile(BaseModel):
    """Header, weights, and which samples the model has learnt from (as short hashes of their pixels)."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    header: ModelHeader
    weights: dict[str, Tensor]
    seen: frozenset[int]


def short_hash(picture: Pixels) -> int:
    """63 bits that tell a picture by its pixels: names repeat from folder to folder, and change from run to run."""
    return int.from_bytes(hashlib.blake2b(picture.tobytes(), digest_size=8).digest(), "big") >> 1


def write_model(path: Path, header: ModelHeader, network: Classifier, seen: Iterable[int]) -> None:
    """Write the file in one step; the folder is made."""
    tensors = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    tensors[_SEEN] = torch.tensor(sorted(seen), dtype=torch.int64)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, safetensors.torch.save(tensors, {_KEY: header.model_dump_json()}))


def model_path(path: str | Path) -> Path:
    """Where a model is written: a path with that suffix is the file, any other one a folder for ``model.safetensors``.

    Raises:
        SpecError: an ONNX file, which is written beside the model.
    """
    path = Path(path)
    if path.suffix == ".onnx":
        raise SpecError("is no place for a model", where=str(path), hint=f"{path.with_suffix(SUFFIX)}, or a folder")
    return path if path.suffix == SUFFIX else path / f"model{SUFFIX}"


def find_model(url: str | Path) -> Path:
    """The model file that a path means: itself, or the only safetensors file in a folder.

    Raises:
        ModelError: there is none, or more than one.
    """
    path = Path(url)
    if path.is_file():
        return path
    found = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else []
    if len(found) != 1:
        problem = f"{len(found)} {SUFFIX} files in it" if path.is_dir() else "no such file or folder"
        raise ModelError(problem, where=str(url), hint=f"a {SUFFIX} file of EdgeHML.save, or a folder with exactly one")
    return found[0]


def read_model(path: Path) -> ModelFile:
    """Read a file of `write_model`. Never unpickles anything.

    Raises:
        ModelError: broken, not safetensors, or made by something else.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = ModelHeader.model_validate_json((file.metadata() or {})[_KEY])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        seen = frozenset(int(value) for value in weights.pop(_SEEN).tolist())
    except (SafetensorError, KeyError, ValidationError, OSError) as error:
        raise ModelError(f"is no EdgeHML model: {error}", where=str(path), hint="a file of EdgeHML.save") from error
    if header.version != 1:
        raise ModelError(f"format version {header.version} is unknown", where=str(path), hint="version 1")
    return ModelFile(header=header, weights=weights, seen=seen)


def load_weights(
    network: Classifier, weights: Mapping[str, Tensor], old: Sequence[str], new: Sequence[str], *, where: str
) -> None:
    """Put weights into a network whose classes may be more, or in another order; rows of new classes stay as they are.

    Raises:
        ModelError: a class of the file is missing from ``new``, or a tensor does not fit.
    """
    missing = [name for name in old if name not in new]
    if missing:
        raise ModelError(
            f"the model knows {', '.join(missing)}, class_names does not",
            where=where,
            hint=f"at least {', '.join(old)}",
        )
    rows = torch.tensor([list(new).index(name) for name in old])
    merged, fresh = dict(weights), network.state_dict()
    for key in _HEAD:
        if key in weights and len(weights[key]) == len(rows):
            merged[key] = fresh[key].index_copy(0, rows, weights[key].to(fresh[key]))
    try:
        network.load_state_dict(merged)
    except RuntimeError as error:
        raise ModelError(f"weights do not fit: {error}", where=where, hint="a file of EdgeHML.save") from error
