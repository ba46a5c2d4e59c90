"""EdgeHML++: labelled rehearsal with fresh strong views, and no unlabelled forward passes unless asked for.

    x = strong views of [B; R],   R: class-balanced draw of raw pictures from the labelled memory
    L = CE over all of x, with the logits of each picture masked to the classes of its own task
        + w CE over all of x, with the same logits masked to the classes seen so far
        + c mean_u H(q_u, f(strong u)) within the classes of the task, if c > 0,
          q_u = sharpened prediction of the average network for the weak view
    prediction: the moving average of the weights, batch statistics measured on the pictures of the memory as they are,
        mean of a picture and its mirror image

What differs from EdgeHML, each part an option:

- ``mask``: a picture competes only with the classes of its own task (task-il) or with the classes seen so far. In
  task-il that is what the test asks; logits of absent classes no longer have to be pushed down.
- ``wide``: the second cross-entropy, on the logits that are there already. Five classes are told apart by little; the
  features of a picture become better when it must be told from all classes of the memory as well.
- ``fresh``, ``views``: the memory keeps the raw picture (uint8), and every replay is a new strong view. EdgeHML replays
  the one stored view.
- ``replay``, ``balanced``: more labelled replay, classes in turn, in the same forward pass as the new pictures, so that
  batch statistics are those of all tasks.
- ``decay``: a moving average of the weights predicts.
- ``remeasure``: training sees strong views, with black borders and changed colours; predictions are asked for plain
  pictures. After each task the statistics of batch norm are measured anew, on the plain pictures of the memory
  and with the average weights; the running ones belong to the weights of each step. It costs one forward pass of the
  memory a task. The same effect of augmentation on batch norm is described in arXiv 1906.06423 (there for sizes).
- weight decay of 0.005 in place of 0.0005: the few labelled pictures are seen some hundred times.
- ``consistency``: the unlabelled pictures, by an average teacher restricted to the task. Off by default for its time;
  ``benchmarks/continual`` has what was measured.

The unlabelled pictures are not forwarded at all where ``consistency`` is off; that is what saves the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn

from sedna.algorithms.continual.data.images import ImageSet, Pixels
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import Rows, image_columns, sample_id
from sedna.algorithms.continual.methods.base import (
    BaseLearningMethod,
    Losses,
    MemoryUse,
    MethodOptions,
    State,
    to_arrays,
    to_tensors,
)
from sedna.algorithms.continual.methods.ema import MovingAverage
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.rng import generator
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.class_factory import ClassFactory, ClassType

_MEASURED_AT_ONCE = 100
_FEWEST_MEASURED = 2
"""Batch norm cannot measure the variance of one pixel."""


@ClassFactory.register(ClassType.ALGORITHM, alias="EdgeHML++")
class EdgeHMLPlus(BaseLearningMethod):
    """See the module's text."""

    ALG_NAME = "EdgeHML++"
    SERVES_JOBS = True
    NEEDS_MEMORY = True
    TRAIN_DEFAULTS = MappingProxyType({"weight_decay": 0.005})

    class Options(MethodOptions):
        """The parts, each of which can be switched off."""

        mask: Literal["auto", "task", "seen", "none"] = Field(
            default="auto", description="classes that compete in the loss; auto: task in task-il, otherwise seen"
        )
        wide: float = Field(
            default=0.5, ge=0, description="weight of the loss over the classes seen so far, where mask is task"
        )
        replay: int = Field(default=4, ge=0, description="minibatches (``memory.minibatch``) replayed a step")
        balanced: bool = Field(default=True, description="replay the classes in turn, not at random")
        fresh: bool = Field(default=True, description="keep raw pictures and make a new view for each replay")
        views: Literal["strong", "weak", "mixed"] = Field(
            default="strong", description="of labelled and replayed pictures; mixed: every second one is strong"
        )
        decay: float = Field(default=0.99, ge=0, lt=1, description="of the moving average of the weights; 0 = none")
        remeasure: bool = Field(default=True, description="batch norm predicts with statistics of unchanged pictures")
        mirror: bool = Field(default=True, description="predict the mean of a picture and its mirror image")
        consistency: float = Field(default=0.0, ge=0, description="weight of the unlabelled part")
        consistency_images: int = Field(default=16, ge=1, description="unlabelled pictures a step")
        consistency_start: float = Field(default=0.4, ge=0, le=1, description="fraction of a task without it")
        temperature: float = Field(default=0.5, gt=0, description="sharpens the teacher")

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        memory = bench.memory
        self.buffer = ReplayBuffer(
            memory.capacity,
            image_columns(bench.image_shape),
            policy=memory.policy,
            seed=bench.seed,
            purpose="labelled",
            unique=True,
        )
        self.average = MovingAverage(self.network, self.options.decay)
        self._offered: set[int] = set()

    def before_task(self, task: BaseSplitSemiTask) -> None:  # noqa: ARG002
        """Its pictures are offered to the memory once each, so that they do not crowd out those of earlier tasks."""
        self._offered.clear()

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_labelled`` and, where they are on, ``loss_wide`` and ``loss_consistency``."""
        rows = self._draw(batch)
        own = self._views(batch, "own", batch.x_BCHW)
        y_B, task_B = batch.y_B, torch.full_like(batch.y_B, batch.task_id)
        if len(rows["label"]):
            old = self._views(batch, "replay", rows["image"], stored=True)
            # One forward pass for both: batch norm then measures new and old tasks together.
            own = torch.cat([own, old])
            y_B = torch.cat([y_B, self.bench.labels(rows)])
            task_B = torch.cat([task_B, torch.from_numpy(rows["task"]).to(task_B.device)])
        logits_BC = self.forward(own)
        losses: Losses = {"loss_labelled": functional.cross_entropy(self._masked(logits_BC, task_B), y_B)}
        if self.options.wide and self._mask == "task":
            losses["loss_wide"] = self.options.wide * functional.cross_entropy(self._seen(logits_BC), y_B)
        self._offer(batch)
        start = self.options.consistency_start * self.bench.train.iterations
        if self.options.consistency and len(batch.index_U) and batch.iteration >= start:
            losses["loss_consistency"] = self.options.consistency * self._consistency(batch)
        return losses

    def _draw(self, batch: TrainBatch) -> Rows:
        draw = self.buffer.draw_balanced if self.options.balanced else self.buffer.draw
        return draw(self.options.replay * self.bench.memory.minibatch, batch.generator("labelled replay"))

    def _views(self, batch: TrainBatch, purpose: str, x_BCHW: Pixels, *, stored: bool = False) -> Tensor:
        """Views of new pictures, or of stored ones (which are views already unless they are kept raw)."""
        if stored and not self.options.fresh:
            return batch.pipeline.normalise(x_BCHW)
        if self.options.views == "weak" and not stored:
            return batch.images
        if self.options.views != "mixed":
            return batch.view(purpose, x_BCHW, strong=self.options.views == "strong")
        strong = batch.view(f"{purpose} strong", x_BCHW[0::2], strong=True)
        weak = batch.view(f"{purpose} weak", x_BCHW[1::2], strong=False)
        views = strong.new_empty((len(x_BCHW), *strong.shape[1:])).contiguous(
            memory_format=batch.pipeline.memory_format
        )
        views[0::2], views[1::2] = strong, weak
        return views

    def _offer(self, batch: TrainBatch) -> None:
        kept = batch.x_BCHW if self.options.fresh else batch.weak_images
        for position, index in enumerate(batch.index_B.tolist()):
            if index in self._offered:
                continue
            self._offered.add(index)
            self.buffer.offer(
                {
                    "image": kept[position],
                    "label": int(batch.y_B[position]),
                    "task": batch.task_id,
                    "id": sample_id(batch.task_id, index),
                }
            )

    @property
    def _mask(self) -> Literal["task", "seen", "none"]:
        if self.options.mask == "auto":
            return "task" if self.bench.cl_type == "task-il" else "seen"
        return self.options.mask

    def _masked(self, logits_BC: Tensor, task_B: Tensor) -> Tensor:
        if self._mask == "task":
            return self.bench.mask_logits(logits_BC, task_B)
        return self._seen(logits_BC) if self._mask == "seen" else logits_BC

    def _seen(self, logits_BC: Tensor) -> Tensor:
        return logits_BC.masked_fill(~self.bench.seen_mask(self.task_id), float("-inf"))

    def _consistency(self, batch: TrainBatch) -> Tensor:
        """Cross-entropy between the sharpened teacher and the strong view, within the classes of the task."""
        # The unlabelled pictures are of this task: other classes would only take probability away.
        classes_K = self.bench.task_masks[batch.task_id]
        count = min(self.options.consistency_images, len(batch.index_U))
        picked = batch.generator("consistency").choice(len(batch.index_U), size=count, replace=False)
        pictures = batch.u_UCHW[np.sort(picked)]
        with torch.no_grad():
            weak = batch.view("consistency weak", pictures, strong=False)
            teacher_UK = self.bench.run(self.average.network, weak)[:, classes_K]
            target_UK = functional.softmax(teacher_UK / self.options.temperature, 1)
        strong_UK = self.forward(batch.view("consistency strong", pictures, strong=True))[:, classes_K]
        return functional.cross_entropy(strong_UK, target_UK)

    def after_iter(self, iteration: int) -> None:  # noqa: ARG002
        """Move the average."""
        self.average.update(self.network)

    def after_task(self, task: BaseSplitSemiTask) -> None:
        """Measure the batch statistics of the average network."""
        count = len(self.buffer)
        if not self.options.remeasure or count < _FEWEST_MEASURED:
            return
        order = generator(self.bench.seed, "batch statistics", task.task_id).permutation(count)
        parts = np.array_split(order, math.ceil(count / _MEASURED_AT_ONCE))
        # Made when they are asked for: the whole memory as float32 takes four times its bytes.
        pictures = (self.bench.pipeline.normalise(self.buffer.rows(part)["image"]) for part in parts)
        with self.bench.precision.autocast():
            update_bn(pictures, self.average.network)

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:  # noqa: ARG002
        """Logits of the average network."""
        logits_BC = self.bench.run(self.average.network, x_BCHW)
        if self.predicts_mirrored:
            logits_BC = (logits_BC + self.bench.run(self.average.network, x_BCHW.flip(3))) / 2
        return logits_BC

    def start_from(self, network: nn.Module) -> None:
        """The average starts from the same weights."""
        super().start_from(network)
        self.average = MovingAverage(self.network, self.options.decay)

    def remember(self, images: ImageSet, first_index: int) -> None:
        """See `BaseLearningMethod`."""
        for position, picture in enumerate(images.x_NCHW):
            label = int(images.y_N[position])
            self.buffer.offer({"image": picture, "label": label, "task": 0, "id": first_index + position})

    def final_network(self) -> nn.Module:
        """The average."""
        return self.average.network

    @property
    def predicts_mirrored(self) -> bool:
        """If mirroring keeps the meaning of these pictures."""
        return self.options.mirror and self.bench.pipeline.flip

    def memory_use(self) -> MemoryUse:
        """Labelled memory and the average network."""
        average = sum(value.numel() * value.element_size() for value in self.average.network.state_dict().values())
        return MemoryUse(memory=self.buffer.nbytes, parameters=average)

    def state(self) -> State:
        """Network, average, memory."""
        state = super().state() | to_tensors(self.buffer.state(), "buffer.")
        state |= {f"average.{key}": value for key, value in self.average.network.state_dict().items()}
        offered = torch.tensor(sorted(self._offered), dtype=torch.int64)
        return state | {"average_steps": torch.tensor([self.average.steps]), "offered": offered}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        super().load_state(state)
        self.buffer.load_state(to_arrays(state, "buffer."))
        self.average.network.load_state_dict(entries_below(state, "average."))
        self.average.steps = int(state["average_steps"][0])
        self._offered = set(state["offered"].tolist())
