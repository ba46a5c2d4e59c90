"""SFT: plain supervised fine-tuning on the labelled pictures of the current task. The lower bound.

L = CE(f(weak x), y)      over all classes
"""

from __future__ import annotations

from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import BaseLearningMethod, Losses
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="SFT")
class SFT(BaseLearningMethod):
    """See the module's text."""

    ALG_NAME = "SFT"
    SERVES_JOBS = True

    def forward_train(self, batch: TrainBatch) -> Losses:
        """``loss_sup``."""
        return {"loss_sup": functional.cross_entropy(self.forward(batch.images), batch.y_B)}
