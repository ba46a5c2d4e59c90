"""EdgeHML: hierarchical memory and FixMatch-like pseudo-labels.

    L(k) = ls CE(f(weak x), y) + lsr CE(f(R_L), y_R)
         + lu(k) mean_u [max p_w(u) >= tau] CE(f(strong u), argmax p_w(u)) + lur CE(f(R_U), pseudo-labels)

R_L and R_U are draws from the labelled and the unlabelled tier of the memory; lu(k) is 0 for the first part of every
task ("progressive learning"). Unlabelled pictures with max p_w > tau whose argmax is a class of the task are offered
to the disk tier; between tasks the unlabelled tier is drawn from it, by class loss. See ``memory.hierarchical``.
Source: EdgeHML, arXiv 2303.11952, in the exact behaviour of the released code.

``progressive``: "faithful" forwards the unlabelled batch in every iteration, as released; "skip" leaves it out while
lu(k) = 0, which is what the text promises. ``weak_graph`` builds the graph of the weak view for nothing, as released;
it changes the time and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.memory.columns import Rows, sample_id
from sedna.algorithms.continual.memory.hierarchical import HierarchicalMemory, MemoryMode
from sedna.algorithms.continual.methods.base import (
    BaseLearningMethod,
    Losses,
    MemoryUse,
    MethodOptions,
    State,
    to_arrays,
    to_tensors,
)
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.rng import generator
from sedna.algorithms.continual.terms.base import pseudo_label_loss
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="EdgeHML")
class EdgeHML(BaseLearningMethod):
    """See the module's text. Forward passes stay separate, in the order labelled, R_L, weak, strong, R_U: each has its
    own batch statistics."""

    ALG_NAME = "EdgeHML"
    SERVES_JOBS = True
    NEEDS_MEMORY = True

    class Options(MethodOptions):
        """Weights of the losses and modes; defaults are those of the published CIFAR-100 configuration."""

        lambda_sup: float = Field(default=1.0, ge=0)
        lambda_sup_replay: float = Field(default=1.0, ge=0)
        lambda_unsup: float = Field(default=1.0, ge=0)
        lambda_unsup_replay: float = Field(default=0.5, ge=0, description="0.1 for CIFAR-10 and TinyImageNet")
        threshold: float = Field(default=0.95, ge=0, description="tau")
        start: float = Field(default=0.2, ge=0, le=1, description="fraction of a task with lu = 0")
        ramp: float = Field(default=0.0, ge=0, le=1, description="fraction over which lu rises (half a cosine)")
        memory_mode: MemoryMode = "faithful"
        progressive: Literal["faithful", "skip"] = "faithful"
        weak_graph: bool = False

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        memory = bench.memory
        self.memory = HierarchicalMemory(
            memory.capacity,
            memory.disk_capacity,
            bench.image_shape,
            bench.work_dir / "disk_tier.bin",
            mode=self.options.memory_mode,
            policy=memory.policy,
            seed=bench.seed,
            owner=bench.owner,
        )
        self._saving: Rows = {}

    def unlabelled_weight(self, iteration: int) -> float:
        """lu(k)."""
        start = self._start
        ramp = round(self.options.ramp * self.bench.train.iterations)
        if self._is_early(iteration):
            return 0.0
        if iteration < start + ramp:
            return 0.5 - 0.5 * math.cos(math.pi * (iteration - start) / ramp)
        return self.options.lambda_unsup

    @property
    def _start(self) -> int:
        return round(self.options.start * self.bench.train.iterations)

    def _is_early(self, iteration: int) -> bool:
        return iteration < self._start

    def forward_train(self, batch: TrainBatch) -> Losses:
        """The four losses, as far as there is something to compute them from."""
        opts = self.options
        losses: Losses = {"loss_sup": opts.lambda_sup * functional.cross_entropy(self.forward(batch.images), batch.y_B)}
        if opts.lambda_sup_replay and len(self.memory.labelled):
            rows = self.memory.labelled.draw(self.bench.memory.minibatch, batch.generator("labelled replay"))
            losses["loss_sup_replay"] = opts.lambda_sup_replay * self._replay_loss(rows)
        # After the draw: what is replayed is of the past, never of this batch.
        self._offer_labelled(batch)
        losses |= self._unlabelled_losses(batch)
        if opts.lambda_unsup_replay:
            rows = self.memory.draw_unlabelled(self.bench.memory.minibatch, batch.generator("unlabelled replay"))
            if len(rows["label"]):
                losses["loss_unsup_replay"] = opts.lambda_unsup_replay * self._replay_loss(rows)
        return losses

    def _replay_loss(self, rows: Rows) -> Tensor:
        logits_BC = self.forward(self.bench.pipeline.normalise(rows["image"]))
        return functional.cross_entropy(logits_BC, self.bench.labels(rows))

    def _unlabelled_losses(self, batch: TrainBatch) -> Losses:
        opts = self.options
        weight = self.unlabelled_weight(batch.iteration)
        skipped = opts.progressive == "skip" and self._is_early(batch.iteration)
        if not (opts.lambda_unsup or opts.lambda_unsup_replay) or len(batch.index_U) == 0 or skipped:
            return {}
        # With weak_graph a graph is built and thrown away, as released: only its time is wanted.
        with torch.set_grad_enabled(opts.weak_graph):
            weak_UC = self.forward(batch.pipeline.normalise(batch.unlabelled_weak)).detach()
        losses: Losses = {}
        # The released code forwards the strong views also while they have no weight: it moves the batch statistics.
        with torch.set_grad_enabled(weight > 0 or opts.weak_graph):
            strong_UC = self.forward(batch.pipeline.normalise(batch.unlabelled_strong))
        if weight > 0:
            loss, kept_U = pseudo_label_loss(weak_UC, strong_UC, opts.threshold)
            losses = {"loss_unsup": weight * loss, "kept": kept_U.float().mean()}
        self._offer_unlabelled(batch, weak_UC)
        return losses

    def _offer_labelled(self, batch: TrainBatch) -> None:
        for position, index in enumerate(batch.index_B.tolist()):
            self.memory.labelled.offer(
                {
                    "image": batch.weak_images[position],
                    "label": int(batch.y_B[position]),
                    "task": batch.task_id,
                    "id": sample_id(batch.task_id, index),
                }
            )

    def _offer_unlabelled(self, batch: TrainBatch, weak_UC: Tensor) -> None:
        confidence_U, label_U = functional.softmax(weak_UC, 1).max(1)
        in_task_U = self.bench.task_masks[batch.task_id][label_U]
        for position in torch.nonzero((confidence_U > self.options.threshold) & in_task_U).flatten().tolist():
            self.memory.offer_unlabelled(
                {
                    "image": batch.unlabelled_weak[position],
                    "label": int(label_U[position]),
                    "task": batch.task_id,
                    "id": sample_id(batch.task_id, int(batch.index_U[position])),
                }
            )

    def after_task(self, task: BaseSplitSemiTask) -> None:
        """Choose unlabelled records by the loss of their class."""
        self.memory.resample(self.class_losses(), generator(self.bench.seed, "resample", task.task_id))

    def class_losses(self) -> dict[int, float]:
        """Mean cross-entropy of the stored labelled views of each class, in eval mode."""
        labels_N = self.memory.labelled["label"]
        losses = {}
        with torch.no_grad():
            for label in np.unique(labels_N).tolist():
                rows = self.memory.labelled.rows(np.flatnonzero(labels_N == label))
                losses[int(label)] = float(self._replay_loss(rows))
        return losses

    def remember(self, images: ImageSet, first_index: int) -> None:
        """See `BaseLearningMethod`."""
        for position, picture in enumerate(images.x_NCHW):
            label = int(images.y_N[position])
            self.memory.labelled.offer({"image": picture, "label": label, "task": 0, "id": first_index + position})

    def memory_use(self) -> MemoryUse:
        """Both tiers."""
        sizes = self.memory.sizes()
        return MemoryUse(memory=sizes.memory_bytes, disk=sizes.disk_bytes)

    def state(self) -> State:
        """Network and memory; flushes the disk tier."""
        self._saving = self.memory.state()
        return super().state() | to_tensors(self._saving, "memory.")

    def state_saved(self) -> None:
        """Records that only older checkpoints referred to may be overwritten."""
        self.memory.saved(self._saving)
        self._saving = {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        super().load_state(state)
        self.memory.load_state(to_arrays(state, "memory."))

    def close(self) -> None:
        """Close the disk tier."""
        self.memory.close()
