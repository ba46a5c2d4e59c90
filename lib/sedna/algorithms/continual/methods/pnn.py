"""PNN, progressive neural networks: a new column for each task, joined to the frozen older ones by laterals.

    h_0 = x,   h_i = stage_i(h_(i-1) + U_i relu(V_i [a_j * g_(i-1)^j]_(j < t)))   for i >= 2,   g^j: older columns
    prediction of task j uses column j

V_i reduces the concatenated activations of the old columns to the width of one column (1x1 convolution), U_i is a 1x1
convolution, a_j is a learnt scale. Frozen columns are shared, not copied, and run in eval mode without gradients; so
memory grows linearly with the tasks, and forgetting is exactly 0. Source: A. Rusu et al., 2016.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses, MemoryUse, MethodOptions, State
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.continual.models.classifier import StagedBody, init_convolutions
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError


class Lateral(nn.Module):
    """Joins the activations of the old columns into one addition to the new column."""

    def __init__(self, old_columns: int, channels: int) -> None:
        super().__init__()
        self.scales = nn.Parameter(torch.full((old_columns,), 0.1))
        self.reduce = nn.Conv2d(old_columns * channels, channels, 1)
        self.expand = nn.Conv2d(channels, channels, 1)
        init_convolutions(self)

    def forward(self, olds: list[Tensor]) -> Tensor:
        """``(B, channels, H, W)`` from one such tensor for each old column."""
        scaled = [scale * old for scale, old in zip(self.scales, olds, strict=True)]
        joined: Tensor = self.expand(torch.relu(self.reduce(torch.cat(scaled, 1))))
        return joined


class PNNColumn(nn.Module):
    """One task's network and its laterals."""

    def __init__(self, body: StagedBody, head: nn.Linear, old_columns: int) -> None:
        super().__init__()
        self.body, self.head = body, head
        # The first stage sees the picture itself, where there is nothing to join.
        inputs = body.channels[:-1] if old_columns else []
        self.laterals = nn.ModuleList(Lateral(old_columns, channels) for channels in inputs)

    def stage(self, index: int, x_BCHW: Tensor, olds: list[Tensor]) -> Tensor:
        """One stage; ``olds`` are the older columns' inputs to it."""
        if index > 0 and len(self.laterals):
            x_BCHW = x_BCHW + self.laterals[index - 1](olds)
        output: Tensor = self.body.stages[index](x_BCHW)
        return output


@ClassFactory.register(ClassType.ALGORITHM, alias="PNN")
class PNN(BaseLearningMethod):
    """See the module's text. Needs a network made of stages. Task-il only."""

    ALG_NAME = "PNN"
    ALG_COMPATIBILITY = ("task-il",)
    FRESH_OPTIMIZER = True

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self.columns = nn.ModuleList()
        self._add_column()

    def _add_column(self) -> None:
        classifier = self.bench.network(len(self.columns))
        if not isinstance(classifier.body, StagedBody):
            raise SpecError(
                f"{self.bench.model.name} has no stages to join columns at",
                where="model.name",
                hint="conv4, cifar_resnet18",
            )
        with torch.random.fork_rng(devices=[]):
            # The laterals are made here: unseeded, they would depend on what torch drew before.
            torch.manual_seed(self.bench.seed + len(self.columns))
            column = PNNColumn(classifier.body, classifier.head, len(self.columns))
        self.columns.append(column.to(self.bench.device).to(memory_format=self.bench.precision.memory_format))
        self.network = column

    def before_task(self, task: BaseSplitSemiTask) -> None:
        """Freeze what is there and add a column."""
        if task.task_id > 0:
            self.columns.requires_grad_(requires_grad=False).eval()
            self._add_column()

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup`` of the newest column."""
        return {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B)}

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Logits of the newest column."""
        return self.column_logits(x_BCHW, len(self.columns) - 1)

    def predict(self, x_BCHW: Tensor, task_id: int) -> Tensor:
        """Logits of the task's column."""
        return self.column_logits(x_BCHW, min(task_id, len(self.columns) - 1))

    def column_logits(self, x_BCHW: Tensor, column: int) -> Tensor:
        """``(B, C)`` logits of one column."""
        return self.bench.run(lambda x: self._column(x, column), x_BCHW)

    def _column(self, x_BCHW: Tensor, last: int) -> Tensor:
        columns = [column for column in self.columns if isinstance(column, PNNColumn)][: last + 1]
        active = [x_BCHW] * len(columns)
        for index in range(len(columns[-1].body.stages)):
            outputs: list[Tensor] = []
            for number, column in enumerate(columns):
                # Older columns are frozen: their graph would cost memory and time for nothing.
                with torch.set_grad_enabled(torch.is_grad_enabled() and number == last):
                    outputs.append(column.stage(index, active[number], active[:number]))
            active = outputs
        logits_BC: Tensor = columns[-1].head(active[-1].mean((2, 3)))
        return logits_BC

    @property
    def knows_task(self) -> bool:
        """It chooses the network."""
        return True

    def memory_use(self) -> MemoryUse:
        """The frozen columns."""
        frozen = list(self.columns)[:-1]
        return MemoryUse(
            parameters=sum(v.numel() * v.element_size() for column in frozen for v in column.state_dict().values())
        )

    def state(self) -> State:
        """All columns."""
        return {f"columns.{key}": value for key, value in self.columns.state_dict().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        stored = entries_below(state, "columns.")
        # Columns before weights: the laterals of a column are as many as the columns before it.
        wanted = 1 + max(int(key.split(".", 1)[0]) for key in stored)
        self.columns = nn.ModuleList()
        while len(self.columns) < wanted:
            self.columns.requires_grad_(requires_grad=False).eval()
            self._add_column()
        self.columns.load_state_dict(stored)
