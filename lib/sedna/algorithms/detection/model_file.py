"""A trained detector as ONE self-describing safetensors file: weights, and a header that says how to use them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from torch import Tensor

from sedna.algorithms.detection.config import ARCHITECTURE_FIELDS, FPNConfig
from sedna.algorithms.detection.network import Detector
from sedna.common.atomic import write_atomic
from sedna.common.errors import ModelError

SUFFIX = ".safetensors"
_KEY = "sedna.fpn"
_HEAD = ("head.classify.weight", "head.classify.bias")


class ModelHeader(BaseModel):
    """The JSON in the file's metadata under ``sedna.fpn``."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    version: int = 1
    class_names: tuple[str, ...]
    backbone: str
    input_channels: int
    fpn_channels: int
    head_convs: int
    input_size: int
    score_threshold: float
    nms_threshold: float
    max_detections: int

    @classmethod
    def of(cls, config: FPNConfig) -> ModelHeader:
        """The part of a config that describes a model."""
        return cls(**config.model_dump(include=set(cls.model_fields) - {"version"}))

    def require_same_architecture(self, config: FPNConfig, where: str) -> None:
        """Raise `ModelError` when ``config`` asks for another network than the file holds."""
        for field in ARCHITECTURE_FIELDS:
            mine, wanted = getattr(self, field), getattr(config, field)
            if mine != wanted:
                raise ModelError(
                    f"the model has {field}={mine}, asked was {wanted}", where=where, hint=f"leave out {field}"
                )


def write_model(path: Path, model: Detector, config: FPNConfig, *, half: bool = False) -> None:
    """Write the file in one step; the folder is made. ``half`` stores float16, half the bytes, for shipping."""
    weights = {
        key: (value.half() if half and value.is_floating_point() else value).contiguous()
        for key, value in model.state_dict().items()
    }
    data = safetensors.torch.save(weights, {_KEY: ModelHeader.of(config).model_dump_json()})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, data)


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
        raise ModelError(problem, where=str(url), hint=f"a {SUFFIX} file of FPN.save, or a folder with exactly one")
    return found[0]


def read_model(path: Path) -> tuple[ModelHeader, dict[str, Tensor]]:
    """Header and float32 weights. Never unpickles anything.

    Raises:
        ModelError: broken, not safetensors, or made by something else.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            header = ModelHeader.model_validate_json((file.metadata() or {})[_KEY])
            weights = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, KeyError, ValidationError, OSError) as error:
        raise ModelError(f"is no FPN model: {error}", where=str(path), hint="a file written by FPN.save") from error
    if header.version != 1:
        raise ModelError(f"format version {header.version} is unknown", where=str(path), hint="version 1")
    return header, {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}


def load_weights(
    model: Detector, weights: Mapping[str, Tensor], old_names: Sequence[str], new_names: Sequence[str], *, where: str
) -> None:
    """Put weights into a model whose classes may be more, or in another order; rows of new classes stay as they are.

    Raises:
        ModelError: a class of the file is missing from ``new_names``, or a tensor does not fit.
    """
    missing = [name for name in old_names if name not in new_names]
    if missing:
        raise ModelError(
            f"the model knows {', '.join(missing)}, class_names does not", where=where,
            hint=f"class_names with at least {', '.join(old_names)}",
        )  # fmt: skip
    rows = [new_names.index(name) for name in old_names]
    merged = dict(weights)
    fresh = model.state_dict()
    for key in _HEAD:
        if key in weights and weights[key].shape[0] == len(rows) and weights[key].shape[1:] == fresh[key].shape[1:]:
            merged[key] = fresh[key].index_copy(0, torch.tensor(rows), weights[key])
    try:
        model.load_state_dict(merged)
    except RuntimeError as error:
        raise ModelError(f"weights do not fit: {error}", where=where, hint="a file written by FPN.save") from error
