"""FlexMatch: FixMatch with a threshold for each class that grows with how much of the class has been learnt.

    beta_c = sigma_c / max(max_c sigma_c, number of samples not yet selected)
    L = lambda * mean_u [max p_w(u) >= tau * phi(beta_c)] * CE(f(strong u), c),
    c = argmax p_w(u),   phi(b) = b / (2 - b)

sigma_c counts unlabelled samples whose last confident prediction (max p_w >= tau) was c. While no sample was ever
confident, every beta is 0 and every sample is used. Source: B. Zhang et al., FlexMatch, NeurIPS 2021 (with warm-up).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.terms.base import SemiTerm, TermCarrier, TermOptions, pseudo_label_loss


class FlexMatch(SemiTerm):
    """See the module's text. Weak and strong views are forwarded together, as in the published code."""

    NAME = "FlexMatch"

    class Options(TermOptions):
        """tau and lambda."""

        threshold: float = Field(default=0.95, ge=0, le=1)
        weight: float = Field(default=1.0, ge=0)

    options: Options

    def __init__(self, options: TermOptions | None = None) -> None:
        super().__init__(options)
        self.selected_N = torch.empty(0, dtype=torch.long)

    def before_task(self, task: BaseSplitSemiTask) -> None:
        """Forget which samples were confident."""
        # Positions count within the task: those of the last one mean other pictures.
        self.selected_N = torch.full((len(task.unlabelled),), -1, dtype=torch.long)

    def betas(self, num_classes: int) -> Tensor:
        """beta of every class ``(C,)``."""
        counts = torch.bincount(self.selected_N + 1, minlength=num_classes + 1)
        learnt_C = counts[1:]
        if int(learnt_C.sum()) == 0:
            return torch.zeros(num_classes)
        return learnt_C / counts.max()

    def losses(self, method: TermCarrier, batch: TrainBatch) -> dict[str, Tensor]:
        """``loss_flexmatch``."""
        if len(batch.index_U) == 0 or self.options.weight == 0:
            return {}
        views = [batch.pipeline.normalise(x) for x in (batch.unlabelled_weak, batch.unlabelled_strong)]
        weak_UC, strong_UC = method.forward(torch.cat(views)).chunk(2)
        with torch.no_grad():
            confidence_U, label_U = functional.softmax(weak_UC, 1).max(1)
            beta_U = self.betas(weak_UC.shape[1]).to(label_U.device)[label_U]
        loss, _ = pseudo_label_loss(weak_UC, strong_UC, self.options.threshold * beta_U / (2 - beta_U))
        # After the loss: no sample sets the threshold that it is judged by.
        sure_U = (confidence_U >= self.options.threshold).cpu()
        self.selected_N[torch.from_numpy(batch.index_U)[sure_U]] = label_U.cpu()[sure_U]
        return {"loss_flexmatch": self.options.weight * loss}

    def state(self) -> dict[str, Tensor]:
        """The last confident class of every sample."""
        return {"selected": self.selected_N.clone()}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """See `state`."""
        self.selected_N = state["selected"].clone()
