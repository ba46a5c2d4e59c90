"""Joint: at task t, supervised training on the labelled pictures of all tasks so far. The upper bound of labelled
rehearsal with unlimited memory.

    L = CE(f(weak x), y) over the classes of x's own task (task-il) or over all classes seen,
    x drawn evenly from L_0, ..., L_t

The weights carry over from task to task, so that after T tasks the network has made T * K steps.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field
from torch.nn import functional

from sedna.algorithms.continual.data.images import ImageSet
from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses, MemoryUse, MethodOptions
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="joint")
class Joint(BaseLearningMethod):
    """See the module's text. Earlier labelled pictures are taken from the tasks, not from a memory; after a restart
    they are handed over again through `before_task`."""

    ALG_NAME = "joint"

    class Options(MethodOptions):
        """Batch."""

        batch_factor: int = Field(default=2, ge=1, description="labelled batches a step; a replay method sees 2")

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self._seen: dict[int, BaseSplitSemiTask] = {}
        self._images: ImageSet | None = None

    def before_task(self, task: BaseSplitSemiTask) -> None:
        """Add the task's labelled pictures."""
        self._seen[task.task_id] = task
        # In the order of the tasks: a restart hands them over again, and equal draws must mean equal pictures.
        parts = [self._seen[key].labelled for key in sorted(self._seen)]
        self._images = ImageSet(
            np.concatenate([part.x_NCHW for part in parts]),
            np.concatenate([part.y_N for part in parts]),
            task.CLASSES,
            "joint",
        )
        self.task_id = task.task_id

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_labelled``."""
        assert self._images is not None
        size = min(self.bench.train.batch_size * self.options.batch_factor, len(self._images))
        picked = batch.generator("joint").choice(len(self._images), size=size, replace=False)
        images = self._images.take(picked.astype(np.int64))
        logits_BC = self.forward(batch.view("joint", images.x_NCHW, strong=False))
        y_B = batch.y_B.new_tensor(images.y_N)
        allowed_C = self.bench.seen_mask(self.task_id)
        if self.bench.cl_type == "task-il":
            task_B = self.bench.task_masks[:, y_B].int().argmax(0)
            logits_BC = self.bench.mask_logits(logits_BC, task_B)
        else:
            logits_BC = logits_BC.masked_fill(~allowed_C, float("-inf"))
        return {"loss_labelled": functional.cross_entropy(logits_BC, y_B)}

    def memory_use(self) -> MemoryUse:
        """The labelled pictures of all tasks so far."""
        return MemoryUse(memory=self._images.x_NCHW.nbytes + self._images.y_N.nbytes if self._images else 0)
