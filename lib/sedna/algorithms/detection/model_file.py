"""A trained detector as a model file: what its header says, and how it is written and read."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from sedna.algorithms.detection.config import ARCHITECTURE_FIELDS, FPNConfig
from sedna.algorithms.detection.network import Detector
from sedna.algorithms.training import model_file
from sedna.common.errors import ModelError

_KEY = "sedna.fpn"
HEAD = ("head.classify.weight", "head.classify.bias")
"""Tensors with one row a class."""


class DetectorHeader(model_file.ModelHeader):
    """The JSON in the file's metadata under ``sedna.fpn``."""

    backbone: str
    input_channels: int
    fpn_channels: int
    head_convs: int
    input_size: int
    score_threshold: float
    nms_threshold: float
    max_detections: int

    @classmethod
    def of(cls, config: FPNConfig) -> DetectorHeader:
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
    """Write the file. ``half`` stores float16, half the bytes, for shipping."""
    weights = {
        key: value.half() if half and value.is_floating_point() else value for key, value in model.state_dict().items()
    }
    model_file.write_model(path, DetectorHeader.of(config), weights, key=_KEY)


def read_model(path: Path) -> tuple[DetectorHeader, dict[str, Tensor]]:
    """Header and float32 weights.

    Raises:
        ModelError: broken, not safetensors, or made by something else.
    """
    header, weights = model_file.read_model(path, DetectorHeader, key=_KEY, algorithm="FPN")
    return header, {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
