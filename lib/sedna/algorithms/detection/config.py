"""Hyper-parameters of the FPN detector."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from sedna.algorithms.training.config import EstimatorConfig

ARCHITECTURE_FIELDS = ("backbone", "input_channels", "fpn_channels", "head_convs")
"""Fields that decide which weights fit; they travel inside the model file and cannot change after it is made."""

Optimizer = Literal["adamw", "sgd"]


class FPNConfig(EstimatorConfig):
    """Everything that can be set on ``FPN``."""

    ALGORITHM: ClassVar[str] = "FPN"

    backbone: Literal["slim", "resnet18", "resnet34", "resnet50"] = Field(
        default="slim", description="slim: 0.65 M parameters, made for CPUs; the others: torchvision, random weights"
    )
    input_channels: Literal[1, 3] = Field(default=3, description="1: the network sees luminance only")
    fpn_channels: int = Field(default=64, ge=8, le=512, description="width of the pyramid and the head")
    head_convs: int = Field(default=2, ge=0, le=8, description="3x3 convolutions in the head")
    input_size: int = Field(
        default=640, ge=32, le=4096, multiple_of=32,
        description="pixels; larger pictures shrink to it (aspect ratio kept), smaller ones are padded, never enlarged",
    )  # fmt: skip

    max_iteration: int = Field(default=300, ge=0, description="optimizer steps; 0 leaves the weights as they are")
    epochs: float = Field(
        default=0.0, ge=0, description="passes over the training pictures, in place of max_iteration; 0 = not used"
    )
    batch_size: int = Field(default=8, ge=1, le=1024, description="pictures a step")
    learning_rate: float = Field(default=0.002, gt=0, description="peak rate, after the warm-up")
    optimizer: Optimizer = Field(
        default="adamw", description="adamw learns faster in few steps than sgd, measured on boards (see its example)"
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd: momentum; adamw: first beta")
    weight_decay: float = Field(default=1e-4, ge=0, description="per step, scaled by the rate for adamw")
    warmup_iterations: int = Field(default=10, ge=0, description="steps over which the rate rises from 0")
    schedule: Literal["cosine", "constant"] = Field(default="cosine", description="the rate after the warm-up")
    gradient_clip: float = Field(default=10.0, ge=0, description="largest gradient norm; 0 = no limit")
    freeze: Literal["none", "backbone"] = Field(
        default="none", description="backbone: only pyramid and head learn; for very few boards"
    )

    crop_size: int = Field(
        default=320, ge=0, le=4096, multiple_of=32,
        description="pixels; training looks at crops around boxes, cheaper than whole pictures; 0 = whole pictures",
    )  # fmt: skip
    augment: Literal["dihedral", "none"] = Field(
        default="dihedral", description="dihedral: the 8 flips and quarter turns, for views without an upright"
    )
    class_balance: bool = Field(
        default=True, description="draw the class first, then a picture that shows it: rare classes are seen as often"
    )
    background_ratio: float = Field(
        default=0.1, ge=0, le=1, description="share of samples drawn anywhere, so that plain background is learnt too"
    )
    replay_ratio: float = Field(
        default=0.3, ge=0, le=1, description="share of every batch drawn from replay_data, when that is given"
    )
    cache_mb: int = Field(default=512, ge=0, description="MiB of decoded pictures kept in memory while training")

    seed: int = Field(default=0, ge=0, description="decides first weights, order and augmentation")
    threads: int = Field(default=0, ge=0, le=256, description="CPU threads of torch; 0 leaves its setting alone")
    device: Literal["cpu", "cuda", "auto"] = Field(
        default="auto", description="where it trains and predicts; auto: a GPU if there is one"
    )
    bf16: Literal["auto", "on", "off"] = Field(
        default="auto",
        description="bfloat16 while training; auto measures a few steps of both and takes the faster. "
        "Pin it where two runs must give the same bits",
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        default="auto",
        description="layout while training; auto measures it together with bf16, and is channels_last where bf16 is "
        "pinned: whoever pins one wants the same bits",
    )

    score_threshold: float = Field(
        default=0.45,
        ge=0,
        le=1,
        description="boxes below it are not reported; focal loss keeps scores of good boxes low",
    )
    nms_threshold: float = Field(default=0.5, ge=0, le=1, description="overlap from which the weaker box is dropped")
    max_detections: int = Field(default=100, ge=1, description="boxes reported a picture")
    predict_batch_size: int = Field(default=8, ge=1, description="pictures predicted at once")

    onnx: bool = Field(
        default=True, description="save also writes the edge's form, ONNX; evaluate judges that one if it is there"
    )

    valid_interval: int = Field(default=50, ge=1, description="steps between two looks at valid_data")
    patience: int = Field(
        default=0,
        ge=0,
        description="looks at valid_data without a better f1_macro before training stops; 0: never look",
    )
    checkpoint_interval: int = Field(default=50, ge=1, description="steps between two checkpoints")
    divergence_factor: float = Field(
        default=4.0, gt=1,
        description="the smoothed loss may grow to this multiple of its lowest value; see DivergenceGuard",
    )  # fmt: skip
    divergence_restores: int = Field(
        default=3, ge=0, description="times training may go back to its last good state before it gives up"
    )
    divergence_rate_cut: float = Field(default=0.3, gt=0, lt=1, description="the rate is multiplied by it each time")

    @field_validator("input_channels", mode="before")
    @classmethod
    def _cast_channels(cls, value: object) -> object:
        """A Literal of numbers does not cast strings by itself."""
        return int(value) if isinstance(value, str) and value.strip().isdigit() else value

    @field_validator("bf16", mode="before")
    @classmethod
    def _cast_switch(cls, value: object) -> object:
        """YAML reads on and off as booleans, and people write true and false."""
        words = {"true": "on", "1": "on", "false": "off", "0": "off"}
        return words.get(str(value).strip().lower(), str(value).strip().lower())

    @property
    def allowed_bf16(self) -> tuple[bool, ...]:
        """What the probe may choose, the usual value first."""
        return {"auto": (False, True), "on": (True,), "off": (False,)}[self.bf16]

    @property
    def allowed_channels_last(self) -> tuple[bool, ...]:
        """What the probe may choose, the usual value first."""
        if self.memory_format == "auto":
            return (True, False) if self.bf16 == "auto" else (True,)
        return (self.memory_format == "channels_last",)

    def for_samples(self, count: int) -> FPNConfig:
        """The config of a run over ``count`` training pictures: ``epochs`` turned into ``max_iteration``."""
        if not self.epochs:
            return self
        return self.model_copy(update={"max_iteration": math.ceil(self.epochs * count / self.batch_size)})
