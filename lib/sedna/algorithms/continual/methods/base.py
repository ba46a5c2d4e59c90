"""The contract of a learning method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn

from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, CLType, TrainBatch
from sedna.algorithms.continual.memory.columns import Rows
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.terms.base import SemiTerm
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.errors import SpecError

Losses = dict[str, Tensor]
"""Name -> scalar. Training minimises the plain sum of those whose name contains "loss"; others are for the log.
``loss_sup`` is the loss of the labelled batch and nothing else, and a term may replace it by its own. A method without
a ``loss_sup`` has its labelled pictures in another loss; the term's is then left out."""

State = dict[str, Tensor]

ALL_CL_TYPES: tuple[CLType, ...] = ("class-il", "task-il", "domain-il")


class MethodOptions(BaseModel):
    """Base of the options of a method; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class MemoryUse:
    """Bytes a method keeps of the past: records in memory, records on disk, and numbers beside the current network
    (copies of weights, importance of weights)."""

    memory: int = 0
    disk: int = 0
    parameters: int = 0

    @property
    def total(self) -> int:
        """All of it."""
        return self.memory + self.disk + self.parameters


class BaseLearningMethod(ABC):
    """Learns a sequence of tasks with one network.

    Hooks are called in this order; all do nothing by default::

        before_run
          before_task(task)
            before_iter(k) - losses(batch) - backward - after_backward(k) - optimizer step - after_iter(k)    K times
          after_task(task)
          before_val(j) - predict on the test pictures of task j - after_val(j)          for every j up to the task
        after_run

    `forward_train` and the hooks run with the network in train mode, except `after_task`, where it is in eval mode
    as after an evaluation. Random numbers come from ``batch.generator``; a method that needs others derives them from
    ``bench.seed`` and counters, so that a resumed run draws the same.

    Class attributes:
        ALG_NAME: its name in configurations and tables.
        ALG_COMPATIBILITY: kinds of task sequences it can learn; others are refused at the start.
        SERVES_JOBS: it learns one network that can be deployed, and can start from a given one.
        NEEDS_MEMORY: it replays records, so the memory must hold at least one record a class.
        FRESH_OPTIMIZER: each task starts with a new optimizer; otherwise momentum carries over.
        TRAIN_DEFAULTS: settings of the ``train`` section where a configuration does not name them.
    """

    ALG_NAME: ClassVar[str]
    ALG_COMPATIBILITY: ClassVar[tuple[CLType, ...]] = ALL_CL_TYPES
    SERVES_JOBS: ClassVar[bool] = False
    NEEDS_MEMORY: ClassVar[bool] = False
    FRESH_OPTIMIZER: ClassVar[bool] = False
    TRAIN_DEFAULTS: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    Options: ClassVar[type[MethodOptions]] = MethodOptions

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        self.bench = bench
        self.options = options or self.Options()
        self.terms: list[SemiTerm] = []
        self.task_id = -1
        self.network: nn.Module = bench.network()
        if self.NEEDS_MEMORY and bench.memory.capacity < bench.num_classes:
            raise SpecError(
                f"a memory of {bench.memory.capacity} records for {bench.num_classes} classes",
                where="memory.capacity",
                hint="at least one record a class",
            )

    def before_run(self) -> None:  # noqa: B027 - hooks are optional
        """Before everything."""

    def after_run(self) -> None:  # noqa: B027
        """After the last evaluation."""

    def before_task(self, task: BaseSplitSemiTask) -> None:  # noqa: B027
        """Before the first iteration of a task."""

    def after_task(self, task: BaseSplitSemiTask) -> None:  # noqa: B027
        """After its last iteration, before it is evaluated."""

    def before_iter(self, iteration: int) -> None:  # noqa: B027
        """Before the batch is used."""

    def after_backward(self, iteration: int) -> None:  # noqa: B027
        """Gradients are there, the step is not done."""

    def after_iter(self, iteration: int) -> None:  # noqa: B027
        """After the optimizer step."""

    def before_val(self, task_id: int) -> None:  # noqa: B027
        """Before the test pictures of a task are predicted."""

    def after_val(self, task_id: int) -> None:  # noqa: B027
        """After they were predicted."""

    @abstractmethod
    def forward_train(self, batch: TrainBatch) -> Losses:
        """The losses of one iteration."""

    def losses(self, batch: TrainBatch) -> Losses:
        """`forward_train` and the composed terms."""
        losses = self.forward_train(batch)
        for term in self.terms:
            added = term.losses(self, batch)
            if "loss_sup" not in losses:
                # The labelled batch is in another loss already: a plain one beside it would count it twice.
                added.pop("loss_sup", None)
            losses |= added
        return losses

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:  # noqa: ARG002 - methods with a network a task need it
        """Logits ``(B, C)`` over all classes; called in eval mode without gradients.

        Args:
            x_BCHW: normalised pictures.
            task_id: the task the pictures belong to, for methods that keep something per task.
        """
        return self.forward(x_BCHW)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Float32 logits ``(B, C)`` of the current network."""
        return self.bench.run(self.network, x_BCHW)

    def start_from(self, network: nn.Module) -> None:
        """Take the weights of a network of the same shape, before anything is learnt."""
        self.network.load_state_dict(network.state_dict())

    def remember(self, images: ImageSet, first_index: int) -> None:  # noqa: B027 - methods without memory have none
        """Put labelled pictures of the past into the memory, as if the current task had shown them.

        Args:
            first_index: the identity of the first one; the current task's own pictures come below it.
        """

    def final_network(self) -> nn.Module:
        """The network that predicts."""
        return self.network

    @property
    def knows_task(self) -> bool:
        """Whether `predict` uses the number of the task for more than masking: then there is no class-il accuracy."""
        return False

    @property
    def predicts_mirrored(self) -> bool:
        """Whether predictions are the mean over a picture and its mirror image."""
        return False

    def training_task(self, task: BaseSplitSemiTask) -> BaseSplitSemiTask:
        """The task that batches are taken from; a method may put another in its place."""
        return task

    def set_mode(self, *, training: bool) -> None:
        """Train or eval mode of every network that is learning."""
        self.network.train(training)

    def parameters(self) -> Iterable[nn.Parameter]:
        """What the optimizer moves during the current task."""
        return self.network.parameters()

    def memory_use(self) -> MemoryUse:
        """Bytes kept of the past, now."""
        return MemoryUse()

    def state(self) -> State:
        """Everything needed to go on, except the optimizer. Subclasses add to it."""
        state = {f"network.{key}": value for key, value in self.network.state_dict().items()}
        for index, term in enumerate(self.terms):
            state |= {f"term{index}.{key}": value for key, value in term.state().items()}
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` gave."""
        self.network.load_state_dict(entries_below(state, "network."))
        for index, term in enumerate(self.terms):
            term.load_state(entries_below(state, f"term{index}."))

    def state_saved(self) -> None:  # noqa: B027
        """The last answer of `state` is on disk now."""

    def close(self) -> None:  # noqa: B027
        """Release files."""


def total_loss(losses: Losses) -> Tensor:
    """Plain sum of the entries whose name contains "loss"."""
    parts = [value for name, value in losses.items() if "loss" in name]
    return torch.stack(parts).sum()


def to_tensors(rows: Rows, prefix: str) -> State:
    """Arrays of a memory as tensors of a state."""
    return {f"{prefix}{name}": torch.from_numpy(np.ascontiguousarray(array)) for name, array in rows.items()}


def to_arrays(state: Mapping[str, Tensor], prefix: str) -> Rows:
    """The reverse of `to_tensors`."""
    return {name: tensor.numpy().copy() for name, tensor in entries_below(state, prefix).items()}
