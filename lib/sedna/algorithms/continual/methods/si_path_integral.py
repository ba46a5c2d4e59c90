"""SI with the path integral of the paper.

    L = CE(f(weak x), y) + c * sum_i Omega_i (theta_i - theta*_i)^2
    each step:   omega += - g * (theta_after - theta_before),   g = gradient of the cross-entropy alone
    after task:  Omega += max(omega, 0) / ((theta - theta*)^2 + xi);   omega <- 0;   theta* <- theta

Source: F. Zenke et al., Continual Learning Through Synaptic Intelligence, ICML 2017. omega can be negative for single
weights by the noise of the steps; a negative importance would push weights away, so it counts as 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sedna.algorithms.continual.data.task import BaseSplitSemiTask
from sedna.algorithms.continual.methods.anchor import add_to_gradients, flatten, gradients
from sedna.algorithms.continual.methods.base import MethodOptions
from sedna.algorithms.continual.methods.si import SI
from sedna.algorithms.continual.methods.workbench import Workbench
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="SI-path")
class SIPathIntegral(SI):
    """See the module's text."""

    ALG_NAME = "SI-path"

    def __init__(self, bench: Workbench, options: MethodOptions | None = None) -> None:
        super().__init__(bench, options)
        self._gradient_P: Tensor = torch.zeros_like(self.omega_P)
        self._before_P: Tensor = self._gradient_P

    def after_backward(self, iteration: int) -> None:  # noqa: ARG002
        """Note gradient and place, then add the penalty."""
        if self.options.gradient_clip:
            nn.utils.clip_grad_value_(self.network.parameters(), self.options.gradient_clip)
        # Before the penalty is added: the integral counts what the steps gained in cross-entropy alone.
        self._gradient_P = gradients(self.network.parameters())
        self._before_P = flatten(self.network.parameters())
        pull = self.anchor.gradient(self._before_P)
        assert pull is not None
        add_to_gradients(self.network.parameters(), pull)

    def after_iter(self, iteration: int) -> None:  # noqa: ARG002
        """One piece of the path."""
        self.omega_P -= self._gradient_P * (flatten(self.network.parameters()) - self._before_P)

    def after_task(self, task: BaseSplitSemiTask) -> None:
        """As SI, without negative importance."""
        self.omega_P.clamp_(min=0)
        super().after_task(task)
