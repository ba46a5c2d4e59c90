"""The contract of a semi-supervised loss term."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Protocol

import torch
from pydantic import BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.data.task import BaseSplitSemiTask, TrainBatch
from sedna.algorithms.continual.methods.workbench import Workbench


class TermCarrier(Protocol):
    """What a term needs of the method that carries it. Methods know terms, terms know this and no method."""

    network: nn.Module
    bench: Workbench

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Float32 logits ``(B, C)`` of the current network."""


class TermOptions(BaseModel):
    """Base of the options of a term; unknown ones are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SemiTerm(ABC):
    """A loss on the unlabelled pictures of a batch, added to the losses of any method.

    Class attributes:
        NAME: what follows the "+" in a method's name, as in ``DER+UDA``.
    """

    NAME: ClassVar[str]
    Options: ClassVar[type[TermOptions]] = TermOptions

    def __init__(self, options: TermOptions | None = None) -> None:
        self.options = options or self.Options()

    def before_task(self, task: BaseSplitSemiTask) -> None:  # noqa: B027 - optional
        """Before the first iteration of a task."""

    @abstractmethod
    def losses(self, method: TermCarrier, batch: TrainBatch) -> dict[str, Tensor]:
        """Losses of one iteration; empty when the task has no unlabelled pictures.

        A term with a supervised loss of its own calls it ``loss_sup``: it takes the place of the method's, so that
        the labelled batch is not counted twice.
        """

    def state(self) -> dict[str, Tensor]:
        """What must survive a restart."""
        return {}

    def load_state(self, state: Mapping[str, Tensor]) -> None:  # noqa: B027
        """Put back what `state` gave."""


def masked_mean(loss_U: Tensor, keep_U: Tensor) -> Tensor:
    """Sum over the kept entries divided by the number of all: few confident samples weigh little."""
    return (loss_U * keep_U.to(loss_U.dtype)).mean()


def pseudo_label_loss(weak_UC: Tensor, strong_UC: Tensor, threshold: float | Tensor) -> tuple[Tensor, Tensor]:
    """Hard pseudo-labels: ``mean[max softmax(weak) >= threshold] * CE(strong, argmax weak)``.

    Args:
        weak_UC: logits of the weak views; no gradient flows into them.
        threshold: one for all, or one for each row.

    Returns:
        The loss, and which rows were kept (bool).
    """
    with torch.no_grad():
        confidence_U, label_U = functional.softmax(weak_UC, 1).max(1)
        keep_U = confidence_U >= threshold
    return masked_mean(functional.cross_entropy(strong_UC, label_U, reduction="none"), keep_U), keep_U
