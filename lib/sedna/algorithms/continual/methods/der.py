"""DER, dark experience replay: replayed pictures keep the logits they had when they were stored.

    L = CE(f(weak x), y) + alpha * MSE(f(b), z_b),   mean over minibatch and classes

Source: P. Buzzega et al., Dark Experience for General Continual Learning, NeurIPS 2020. With alpha = 0 it is SFT.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import Losses, MethodOptions
from sedna.algorithms.continual.methods.replay import ReplayMethod
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="DER")
class DER(ReplayMethod):
    """See the module's text."""

    ALG_NAME = "DER"
    SERVES_JOBS = True
    STORES_LOGITS = True

    class Options(MethodOptions):
        """alpha."""

        alpha: float = Field(default=0.3, ge=0)

    options: Options

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup`` and, once something is stored, ``loss_der``."""
        logits_BC = self.forward(batch.images)
        losses: Losses = {"loss_sup": functional.cross_entropy(logits_BC, batch.y_B)}
        if len(self.buffer):
            losses |= self.replay_losses(batch)
        # After the draw: what is replayed is of the past, never of this batch.
        self.store(batch, logits_BC)
        return losses

    def replay_losses(self, batch: TrainBatch) -> Losses:
        """The part that looks at the buffer."""
        if not self.options.alpha:
            return {}
        rows = self.draw(batch, "replay")
        logits_BC = self.forward(self.replayed(rows))
        stored_BC = torch.from_numpy(rows["logits"]).to(logits_BC.device)
        return {"loss_der": self.options.alpha * functional.mse_loss(logits_BC, stored_BC)}
