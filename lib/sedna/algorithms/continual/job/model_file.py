"""A trained classifier as a model file: what its header says, and which samples it has learnt from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.training import model_file
from sedna.algorithms.training.samples import Pixels
from sedna.common.errors import ModelError

_KEY = "sedna.continual"
_SEEN = "seen_samples"
HEAD = ("head.weight", "head.bias")
"""Tensors with one row a class."""


class ClassifierHeader(model_file.ModelHeader):
    """The JSON in the file's metadata under ``sedna.continual``."""

    network: str
    width: int | None
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    flip: bool
    mirror: bool = False
    method: str
    rounds: int = 0


@dataclass(frozen=True)
class StoredClassifier:
    """Header, weights, and which samples the model has learnt from (as short hashes of their pixels)."""

    header: ClassifierHeader
    weights: dict[str, Tensor]
    seen: frozenset[int]


def short_hash(picture: Pixels) -> int:
    """63 bits that tell a picture by its pixels: names repeat from folder to folder, and change from run to run."""
    return int.from_bytes(hashlib.blake2b(picture.tobytes(), digest_size=8).digest(), "big") >> 1


def write_model(path: Path, header: ClassifierHeader, network: Classifier, seen: Iterable[int]) -> None:
    """Write the file in one step; the folder is made."""
    tensors = {**network.state_dict(), _SEEN: torch.tensor(sorted(seen), dtype=torch.int64)}
    model_file.write_model(path, header, tensors, key=_KEY)


def read_model(path: Path) -> StoredClassifier:
    """Read a file of `write_model`.

    Raises:
        ModelError: broken, not safetensors, or made by something else.
    """
    header, weights = model_file.read_model(path, ClassifierHeader, key=_KEY, algorithm="EdgeHML")
    if _SEEN not in weights:
        raise ModelError(f"is no EdgeHML model: {_SEEN} is missing", where=str(path), hint="a file of EdgeHML.save")
    seen = frozenset(int(value) for value in weights.pop(_SEEN).tolist())
    return StoredClassifier(header, weights, seen)
