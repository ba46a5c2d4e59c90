"""How a run trains and what it remembers: the ``train`` and ``memory`` sections of a configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sedna.algorithms.continual.memory.policies import PolicyName


class TrainConfig(BaseModel):
    """The ``train`` section. Defaults are those of the published protocol."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    iterations: int = Field(default=1000, ge=1, description="optimizer steps of each task")
    batch_size: int = Field(default=8, ge=1, description="labelled pictures a step")
    even_batches: bool = Field(
        default=False, description="leave out the short last batch of a pass; needed by networks that shrink pictures "
        "to one pixel, whose batch norm cannot learn from a batch of one"
    )  # fmt: skip
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.03, gt=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    weight_decay: float = Field(default=5e-4, ge=0)
    schedule: Literal["step", "cosine", "constant"] = Field(default="step", description="restarts with every task")
    milestones: tuple[float, ...] = Field(default=(0.8, 0.9), description="step: fractions of a task's iterations")
    decay: float = Field(default=0.1, gt=0, le=1, description="step: factor at each milestone")
    warmup: float = Field(default=0.0, ge=0, lt=1, description="fraction of a task over which the rate rises from 0")
    gradient_clip: float = Field(default=0.0, ge=0, description="largest gradient norm; 0 = no limit")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto measures; pin it where two runs must give the same bits"
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(default="auto", description="as precision")
    device: Literal["cpu", "cuda", "auto"] = Field(default="cpu", description="auto: a GPU if there is one")
    threads: int = Field(default=1, ge=0, le=256, description="CPU threads of torch; 0 leaves its setting alone")
    checkpoint_interval: int = Field(default=100, ge=1, description="steps between two checkpoints")
    epoch_length: int = Field(
        default=100, ge=1, description="steps of a virtual epoch, after which progress is reported"
    )
    evaluate_epochs: bool = Field(default=False, description="test the current task after each virtual epoch")
    divergence_factor: float = Field(
        default=20.0,
        gt=1,
        description="largest running mean of the loss, as a multiple of guessing or of the task's first loss",
    )
    divergence_restores: int = Field(
        default=3, ge=0, description="times training may go back to its last checkpoint before it gives up"
    )
    divergence_rate_cut: float = Field(default=0.3, gt=0, lt=1, description="the rate is multiplied by it each time")


class MemoryConfig(BaseModel):
    """The ``memory`` section: one budget for whichever method is run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capacity: int = Field(default=2000, ge=1, description="records in memory (M)")
    disk_capacity: int = Field(default=20000, ge=1, description="records in the second tier (H)")
    minibatch: int = Field(default=8, ge=1, description="records replayed a step, from each part of the memory")
    policy: PolicyName = Field(default="reservoir", description="which records stay")
