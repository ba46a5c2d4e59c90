"""Independent: a new network for each task, trained as SFT. Cannot forget, cannot transfer; costs a network a task.

L = CE(f_t(weak x), y)      prediction of task j uses f_j
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses, MemoryUse, MethodOptions, State
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="independent")
class Independent(BaseLearningMethod):
    """See the module's text. Task-il only: without the task's number there is no choosing the network."""

    ALG_NAME = "independent"
    ALG_COMPATIBILITY = ("task-il",)
    FRESH_OPTIMIZER = True

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self.finished: list[nn.Module] = []

    def before_task(self, task: BaseSplitSemiTask) -> None:
        """Start a fresh network."""
        if task.task_id > 0:
            self.network = self.bench.network(task.task_id)

    def after_task(self, task: BaseSplitSemiTask) -> None:  # noqa: ARG002
        """Put the network aside."""
        # Not copied: the next task starts with a network of its own.
        self.finished.append(self.network.requires_grad_(requires_grad=False))

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup``."""
        return {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B)}

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:
        """Logits of the network of the task; of the current one while that is still learning."""
        network = self.finished[task_id] if task_id < len(self.finished) else self.network
        return self.bench.run(network, x_BCHW)

    @property
    def knows_task(self) -> bool:
        """It chooses the network."""
        return True

    def memory_use(self) -> MemoryUse:
        """The networks of the tasks before the current one."""
        values = [value for network in self.finished[: self.task_id] for value in network.state_dict().values()]
        return MemoryUse(parameters=sum(value.numel() * value.element_size() for value in values))

    def state(self) -> State:
        """All networks."""
        state = super().state()
        for index, network in enumerate(self.finished):
            state |= {f"finished{index}.{key}": value for key, value in network.state_dict().items()}
        return state

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        self.finished = []
        self.network = self.bench.network()
        while stored := entries_below(state, f"finished{len(self.finished)}."):
            # Only the shape matters: its fresh weights are replaced by the stored ones.
            network = self.bench.network(len(self.finished))
            network.load_state_dict(stored)
            self.finished.append(network.eval().requires_grad_(requires_grad=False))
        super().load_state(state)
