"""oEWC, online elastic weight consolidation.

    L = CE(f(weak x), y) + lambda * sum_i F_i (theta_i - theta*_i)^2
    after task:  F <- gamma F + mean_n p_n(y_n) * (d log p_n(y_n) / d theta)^2;   theta* <- theta

The Fisher term is taken sample by sample over the labelled set, in eval mode, without augmentation. Source:
J. Schwarz et al., Progress & Compress, ICML 2018; weighting by p_n(y_n) as in the published code.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.anchor import QuadraticAnchor, add_to_gradients, flatten, gradients
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses, MemoryUse, MethodOptions, State
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="oEWC")
class OnlineEWC(BaseLearningMethod):
    """See the module's text."""

    ALG_NAME = "oEWC"

    class Options(MethodOptions):
        """lambda and gamma."""

        strength: float = Field(default=10.0, ge=0)
        gamma: float = Field(default=1.0, ge=0, le=1)

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self.anchor = QuadraticAnchor(self.options.strength)

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup``; the gradient of the penalty is added after the backward pass."""
        penalty = self.anchor.value(flatten(self.network.parameters()))
        return {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B), "penalty": penalty}

    def after_backward(self, iteration: int) -> None:  # noqa: ARG002
        """Add the gradient of the penalty."""
        pull = self.anchor.gradient(flatten(self.network.parameters()))
        if pull is not None:
            add_to_gradients(self.network.parameters(), pull)

    def after_task(self, task: BaseSplitSemiTask) -> None:
        """Add the task's Fisher information."""
        y_N = torch.from_numpy(task.labelled.y_N).to(self.bench.device)
        fisher_P = self.fisher(task.pipeline.normalise(task.labelled.x_NCHW), y_N)
        if self.anchor.importance_P is not None:
            # Online: one sum for all tasks, in which older ones fade with gamma.
            fisher_P += self.options.gamma * self.anchor.importance_P
        self.anchor.place(flatten(self.network.parameters()), fisher_P)

    def fisher(self, x_NCHW: Tensor, y_N: Tensor) -> Tensor:
        """``(P,)`` mean over samples of p(y) times the squared gradient of log p(y)."""
        total_P = torch.zeros_like(flatten(self.network.parameters()))
        # One at a time: the square of a mean gradient is not the mean of the squares.
        for x_CHW, y in zip(x_NCHW, y_N, strict=True):
            self.network.zero_grad(set_to_none=True)
            loss = functional.cross_entropy(self.forward(x_CHW[None]), y[None])
            loss.backward()  # type: ignore[no-untyped-call]
            # exp(-CE) is the probability of the true class.
            total_P += torch.exp(-loss.detach()) * gradients(self.network.parameters()) ** 2
        self.network.zero_grad(set_to_none=True)
        return total_P / len(y_N)

    def memory_use(self) -> MemoryUse:
        """Anchor and Fisher."""
        return MemoryUse(parameters=self.anchor.nbytes)

    def state(self) -> State:
        """Network, anchor, Fisher."""
        return super().state() | {f"anchor.{key}": value for key, value in self.anchor.state().items()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        super().load_state(state)
        self.anchor.load_state(
            {key: value.to(self.bench.device) for key, value in entries_below(state, "anchor.").items()}
        )
