"""FixMatch: confident hard pseudo-labels of the weak view teach the strong view.

    L = lambda * mean_u [max p_w(u) >= tau] * CE(f(strong u), argmax p_w(u)),   p_w = softmax f(weak u), no gradient

Source: K. Sohn et al., FixMatch, NeurIPS 2020.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.terms.base import SemiTerm, TermCarrier, TermOptions, pseudo_label_loss


class FixMatch(SemiTerm):
    """See the module's text. Weak and strong views are forwarded separately."""

    NAME = "FixMatch"

    class Options(TermOptions):
        """tau and lambda."""

        threshold: float = Field(default=0.95, ge=0, description="confidence from which a pseudo-label counts")
        weight: float = Field(default=1.0, ge=0)

    options: Options

    def losses(self, method: TermCarrier, batch: TrainBatch) -> dict[str, Tensor]:
        """``loss_fixmatch``."""
        if len(batch.index_U) == 0 or self.options.weight == 0:
            return {}
        with torch.no_grad():
            weak_UC = method.forward(batch.pipeline.normalise(batch.unlabelled_weak))
        strong_UC = method.forward(batch.pipeline.normalise(batch.unlabelled_strong))
        loss, _ = pseudo_label_loss(weak_UC, strong_UC, self.options.threshold)
        return {"loss_fixmatch": self.options.weight * loss}
