"""SI, synaptic intelligence, as the published EdgeHML code has it.

    L = CE(f(weak x), y) + c * sum_i Omega_i (theta_i - theta*_i)^2
    each step:   g <- clip(g, -1, 1);   omega += lr0 * g^2          (g with the gradient of the penalty)
    after task:  Omega += omega / ((theta - theta*)^2 + xi);   omega <- 0;   theta* <- theta

theta* of the first task are the initial weights. Source: F. Zenke et al., ICML 2017, in the variant of the EdgeHML
release. The path integral of the paper is in ``si_path_integral``.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.anchor import QuadraticAnchor, add_to_gradients, flatten, gradients
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses, MemoryUse, MethodOptions, State
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.algorithms.training.checkpoint import entries_below
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="SI")
class SI(BaseLearningMethod):
    """See the module's text."""

    ALG_NAME = "SI"

    class Options(MethodOptions):
        """c, xi and the clip value."""

        strength: float = Field(default=0.5, ge=0)
        damping: float = Field(default=1.0, gt=0)
        gradient_clip: float = Field(default=1.0, ge=0, description="largest absolute gradient value; 0 = no limit")

    options: Options

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self.anchor = QuadraticAnchor(self.options.strength)
        theta_P = flatten(self.network.parameters())
        self.omega_P = torch.zeros_like(theta_P)
        self.anchor.place(theta_P, torch.zeros_like(theta_P))

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup``; the gradient of the penalty is added after the backward pass."""
        penalty = self.anchor.value(flatten(self.network.parameters()))
        return {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B), "penalty": penalty}

    def after_backward(self, iteration: int) -> None:  # noqa: ARG002
        """Penalty, clip, and the running sum of squared gradients."""
        pull = self.anchor.gradient(flatten(self.network.parameters()))
        assert pull is not None
        add_to_gradients(self.network.parameters(), pull)
        if self.options.gradient_clip:
            # As released: the penalty is clipped together with the loss.
            nn.utils.clip_grad_value_(self.network.parameters(), self.options.gradient_clip)
        self.omega_P += self.bench.train.learning_rate * gradients(self.network.parameters()) ** 2

    def after_task(self, task: BaseSplitSemiTask) -> None:  # noqa: ARG002
        """Turn the running sum into importance."""
        theta_P = flatten(self.network.parameters())
        assert self.anchor.anchor_P is not None
        assert self.anchor.importance_P is not None
        change_P = (theta_P - self.anchor.anchor_P) ** 2
        # Damped: a weight that did not move would be divided by zero.
        gained_P = self.omega_P / (change_P + self.options.damping)
        self.anchor.place(theta_P, self.anchor.importance_P + gained_P)
        self.omega_P.zero_()

    def memory_use(self) -> MemoryUse:
        """Anchor, importance and running sum."""
        return MemoryUse(parameters=self.anchor.nbytes + 4 * self.omega_P.numel())

    def state(self) -> State:
        """Network, anchor, importance, running sum."""
        state = super().state() | {f"anchor.{key}": value for key, value in self.anchor.state().items()}
        return state | {"omega": self.omega_P}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        super().load_state(state)
        self.anchor.load_state(
            {key: value.to(self.bench.device) for key, value in entries_below(state, "anchor.").items()}
        )
        self.omega_P = state["omega"].to(self.bench.device).clone()
