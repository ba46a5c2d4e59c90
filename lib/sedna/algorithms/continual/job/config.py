"""Hyper-parameters of the job algorithm."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from sedna.algorithms.continual.names import NETWORK_NAMES, split_method, suggestion
from sedna.algorithms.training.config import EstimatorConfig
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError

FIXED_FIELDS = ("network", "width", "image_size", "mean", "std")
"""Fields that decide which weights fit and how a picture reaches them; they travel inside the model file."""


class JobConfig(EstimatorConfig):
    """Everything that can be set on ``EdgeHML``."""

    ALGORITHM: ClassVar[str] = "EdgeHML"

    method: str = Field(
        default="EdgeHML++",
        description="a method with one network: EdgeHML++, EdgeHML, ER, DER+UDA, ... The buffer of ER and DER counts "
        "every presentation of a new picture, so the few remembered ones are soon replaced and old classes get lost",
    )
    method_options: dict[str, Any] = Field(default_factory=dict, description="options of the method")
    network: str = Field(default="conv4", description="see NETWORKS")
    width: int | None = Field(default=None, ge=1, description="channels of the first stage; null: the usual width")
    image_size: int = Field(default=32, ge=8, le=1024, description="pixels; pictures are resized to a square")
    mean: tuple[float, float, float] = Field(default=(123.675, 116.28, 103.53), description="RGB, on 0..255")
    std: tuple[float, float, float] = Field(default=(58.395, 57.12, 57.375), description="RGB, on 0..255")
    padding: int = Field(default=4, ge=0, description="pixels of the random crop")
    flip: bool = Field(default=True, description="whether a mirrored picture means the same")

    iterations: int = Field(default=300, ge=1, description="optimizer steps of a round")
    batch_size: int = Field(default=8, ge=1, description="new labelled pictures a step")
    uratio: int = Field(default=7, ge=1, description="unlabelled pictures with each labelled one")
    learning_rate: float = Field(default=0.03, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1)
    weight_decay: float | None = Field(default=None, ge=0, description="null: the method's own")
    memory: int = Field(default=2000, ge=1, description="records in memory (M)")
    disk_memory: int = Field(default=20000, ge=1, description="records in the second tier, on disk (H)")
    replay: int = Field(default=8, ge=1, description="records replayed a step, from each part of the memory")

    seed: int = Field(default=0, ge=0, description="decides first weights, order and augmentation")
    threads: int = Field(default=1, ge=0, le=256, description="CPU threads of torch; 0 leaves its setting alone")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto takes what a short probe finds faster; pin it where two runs must be equal"
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        default="auto", description="as precision: the probe's choice changes the last bits"
    )
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    checkpoint_interval: int = Field(default=50, ge=1, description="steps between two checkpoints")
    predict_batch_size: int = Field(default=64, ge=1, description="pictures predicted at once")
    onnx: bool = Field(default=True, description="write the form that edges run without torch beside the model")

    @field_validator("method")
    @classmethod
    def _is_known(cls, value: str) -> str:
        try:
            split_method(value, ClassFactory.names(ClassType.ALGORITHM))
        except SpecError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error
        return value

    @field_validator("network")
    @classmethod
    def _is_a_network(cls, value: str) -> str:
        if value not in NETWORK_NAMES:
            raise ValueError(f"unknown network {value!r}; {suggestion(value, NETWORK_NAMES)}")
        return value

    @field_validator("method_options", "mean", "std", "width", "weight_decay", mode="before")
    @classmethod
    def _from_json(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value
