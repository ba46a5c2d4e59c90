"""UDA: the strong view learns the sharpened distribution of the weak view.

    q_u = softmax(z_w(u) / T), no gradient
    L = CE(f(x), y) + lambda * mean_u [max softmax(z_w(u)) >= tau] * H(q_u, softmax f(strong u))

The first part is a second forward of the labelled batch and takes the place of the method's own, as in the published
code: DER+UDA stores the logits of the first forward and learns from the second. T -> 0 gives FixMatch with the same
tau. Source: Q. Xie et al., Unsupervised Data Augmentation, NeurIPS 2020; training signal annealing is off, as in
the published configurations.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.terms.base import SemiTerm, TermCarrier, TermOptions, masked_mean


class UDA(SemiTerm):
    """See the module's text."""

    NAME = "UDA"

    class Options(TermOptions):
        """T, tau and lambda."""

        temperature: float = Field(default=0.4, gt=0)
        threshold: float = Field(default=0.8, ge=0)
        weight: float = Field(default=1.0, ge=0)
        second_supervised: bool = Field(
            default=True, description="cross-entropy of a second forward in place of the method's, as published"
        )

    options: Options

    def losses(self, method: TermCarrier, batch: TrainBatch) -> dict[str, Tensor]:
        """``loss_uda`` and, with ``second_supervised``, the ``loss_sup`` that replaces the method's."""
        losses: dict[str, Tensor] = {}
        if self.options.second_supervised:
            losses["loss_sup"] = functional.cross_entropy(method.forward(batch.images), batch.y_B)
        if len(batch.index_U) == 0 or self.options.weight == 0:
            return losses
        strong_UC = method.forward(batch.pipeline.normalise(batch.unlabelled_strong))
        with torch.no_grad():
            weak_UC = method.forward(batch.pipeline.normalise(batch.unlabelled_weak))
        losses["loss_uda"] = self.options.weight * uda_loss(
            weak_UC, strong_UC, self.options.temperature, self.options.threshold
        )
        return losses


def uda_loss(weak_UC: Tensor, strong_UC: Tensor, temperature: float, threshold: float) -> Tensor:
    """Masked cross-entropy between the sharpened weak and the strong distribution."""
    with torch.no_grad():
        keep_U = functional.softmax(weak_UC, 1).amax(1) >= threshold
        target_UC = functional.softmax(weak_UC / temperature, 1)
    return masked_mean(functional.cross_entropy(strong_UC, target_UC, reduction="none"), keep_U)
