"""Testing a method on a task without changing anything about its training."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, CLType
from sedna.algorithms.continual.methods.base import BaseLearningMethod

_BATCH = 250


@dataclass(frozen=True)
class TaskAccuracy:
    """Percent right: ``task_il`` with logits outside the task's classes masked, ``class_il`` without."""

    task_il: float
    class_il: float

    def headline(self, cl_type: CLType) -> float:
        """What a task sequence of this kind is judged by: only class-il gives no hint which classes are meant."""
        return self.class_il if cl_type == "class-il" else self.task_il


def evaluate_task(method: BaseLearningMethod, task: BaseSplitSemiTask, *, training: bool) -> TaskAccuracy:
    """Accuracy on the test pictures of a task.

    Args:
        training: whether the method is put back into train mode afterwards (in the middle of a task).
    """
    method.set_mode(training=False)
    method.before_val(task.task_id)
    # Both figures from one forward pass: masking costs nothing beside it.
    inside_C = method.bench.task_masks[task.task_id]
    right_task = right_class = 0
    with torch.no_grad():
        for start in range(0, len(task.test), _BATCH):
            x_BCHW = method.bench.pipeline.normalise(task.test.x_NCHW[start : start + _BATCH])
            y_B = torch.from_numpy(task.test.y_N[start : start + _BATCH]).to(x_BCHW.device)
            logits_BC = method.predict(x_BCHW, task.task_id)
            right_class += int((logits_BC.argmax(1) == y_B).sum())
            right_task += int((logits_BC.masked_fill(~inside_C, float("-inf")).argmax(1) == y_B).sum())
    method.after_val(task.task_id)
    # In the middle of a task training goes on, and must not go on in eval mode.
    method.set_mode(training=training)
    total = len(task.test)
    return TaskAccuracy(100 * right_task / total, 100 * right_class / total)
