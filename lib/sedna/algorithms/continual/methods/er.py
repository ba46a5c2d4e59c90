"""ER, experience replay.

    L = CE(f(weak x), y) + CE(f(b), y_b),   b drawn from a reservoir

Source: A. Chaudhry et al., On Tiny Episodic Memories in Continual Learning, 2019; D. Rolnick et al., NeurIPS 2019.
"""

from __future__ import annotations

from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import Losses
from sedna.algorithms.continual.methods.replay import ReplayMethod
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="ER")
class ER(ReplayMethod):
    """See the module's text. Two forward passes, the mean of each batch by itself."""

    ALG_NAME = "ER"
    SERVES_JOBS = True

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup`` and, once something is stored, ``loss_replay``."""
        losses: Losses = {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B)}
        if len(self.buffer):
            rows = self.draw(batch, "replay")
            losses["loss_replay"] = functional.cross_entropy(self.forward(self.replayed(rows)), self.bench.labels(rows))
        # After the draw: what is replayed is of the past, never of this batch.
        self.store(batch)
        return losses
