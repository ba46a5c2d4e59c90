"""What a learning method works with: the facts of a run and the forward pass in its precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from sedna.algorithms.continual.data.sets import ContinualLearningTasks
from sedna.algorithms.continual.data.task import CLType
from sedna.algorithms.continual.memory.columns import Rows
from sedna.algorithms.continual.models.classifier import Classifier
from sedna.algorithms.continual.models.factory import ModelConfig, build_network
from sedna.algorithms.continual.training.config import MemoryConfig, TrainConfig
from sedna.algorithms.continual.transforms.pipeline import ViewPipeline
from sedna.algorithms.training.distributed import SINGLE, Group
from sedna.algorithms.training.precision import Precision
from sedna.algorithms.training.sync_norm import synchronised
from sedna.common.errors import DataError


@dataclass(frozen=True)
class Workbench:
    """Facts that do not change during a run.

    Args:
        task_classes: labels of each task.
        work_dir: where a memory may keep its files.
        owner: identifies the run, so that files of another one are refused.
        group: processes that train together; a forward pass is theirs in common, and each gets all of its rows.
    """

    seed: int
    num_classes: int
    task_classes: tuple[tuple[int, ...], ...]
    cl_type: CLType
    image_shape: tuple[int, int, int]
    pipeline: ViewPipeline
    work_dir: Path
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    precision: Precision = field(default_factory=Precision)
    owner: str = ""
    group: Group = SINGLE

    @classmethod
    def of(cls, tasks: ContinualLearningTasks, work_dir: Path, *, seed: int = 0) -> Workbench:
        """The workbench of a task sequence with default settings; use `with_settings` for others."""
        shape = tasks[0].labelled.x_NCHW.shape
        return cls(
            seed=seed,
            num_classes=len(tasks.class_names),
            task_classes=tuple(task.class_index for task in tasks),
            cl_type=tasks.cl_type,
            image_shape=(int(shape[1]), int(shape[2]), int(shape[3])),
            pipeline=tasks.pipeline,
            work_dir=work_dir,
        )

    def with_settings(self, model: ModelConfig, train: TrainConfig, memory: MemoryConfig, owner: str = "") -> Workbench:
        """The same run with other settings."""
        return replace(self, model=model, train=train, memory=memory, owner=owner)

    def with_precision(self, precision: Precision) -> Workbench:
        """The same run in another precision."""
        pipeline = replace(self.pipeline, memory_format=precision.memory_format, device=precision.device)
        return replace(self, precision=precision, pipeline=pipeline)

    def with_group(self, group: Group) -> Workbench:
        """The same run, trained by several processes."""
        return replace(self, group=group, pipeline=replace(self.pipeline, group=group))

    def network(self, *counters: int) -> Classifier:
        """A network with fresh weights in the layout of the run; equal counters give equal weights."""
        network = synchronised(build_network(self.model, self.num_classes, self.seed, *counters), self.group)
        return network.to(self.device).to(memory_format=self.precision.memory_format)

    def run(self, network: nn.Module | Callable[[Tensor], Tensor], x_BCHW: Tensor) -> Tensor:
        """Float32 output of one forward pass in the precision of the run.

        Raises:
            DataError: a batch of one reached a batch norm over one pixel.
        """
        with self.precision.autocast():
            try:
                output: Tensor = self.group.split(network, x_BCHW)
            except ValueError as error:
                # torch has no error of its own for this; any other ValueError is not ours to explain.
                if "more than 1 value per channel" not in str(error):
                    raise
                raise DataError(
                    "batch norm cannot learn from a batch of one at a resolution of one pixel",
                    where=f"model {self.model.name}",
                    hint="train.even_batches: true, or a batch size that divides the labelled set",
                ) from error
        return output.float()

    @property
    def device(self) -> torch.device:
        """Where networks and batches live; memories stay in main memory."""
        return self.precision.device

    def labels(self, rows: Rows) -> Tensor:
        """``(n,)`` int64 labels of records, on the device."""
        return torch.from_numpy(rows["label"]).to(self.device)

    @cached_property
    def task_masks(self) -> Tensor:
        """Which classes belong to a task, bool ``(T, C)``."""
        masks = torch.zeros(len(self.task_classes), self.num_classes, dtype=torch.bool, device=self.device)
        for task_id, classes in enumerate(self.task_classes):
            masks[task_id, list(classes)] = True
        return masks

    def seen_mask(self, task_id: int) -> Tensor:
        """Classes of this and earlier tasks."""
        return self.task_masks[: task_id + 1].any(0)

    def mask_logits(self, logits_BC: Tensor, task_ids: Tensor | int) -> Tensor:
        """Logits with -inf outside the classes of each row's task.

        Args:
            task_ids: one task for all rows, or ``(B,)``.
        """
        return logits_BC.masked_fill(~self.task_masks[task_ids], float("-inf"))
