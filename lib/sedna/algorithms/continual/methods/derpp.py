"""DER++: DER, and the labels of a second, independent draw.

    L = CE(f(weak x), y) + alpha * MSE(f(b), z_b) + beta * CE(f(b'), y_b')

Source: as DER. With beta = 0 it is DER, with alpha = beta = 0 SFT.
"""

from __future__ import annotations

from pydantic import Field
from torch.nn import functional

from sedna.algorithms.continual.data.task import TrainBatch
from sedna.algorithms.continual.methods.base import Losses
from sedna.algorithms.continual.methods.der import DER
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="DER++")
class DERPlusPlus(DER):
    """See the module's text."""

    ALG_NAME = "DER++"

    class Options(DER.Options):
        """alpha and beta."""

        beta: float = Field(default=0.5, ge=0)

    options: Options

    def replay_losses(self, batch: TrainBatch) -> Losses:
        """``loss_der`` and ``loss_replay``."""
        losses = super().replay_losses(batch)
        if self.options.beta:
            rows = self.draw(batch, "second replay")
            loss = functional.cross_entropy(self.forward(self.replayed(rows)), self.bench.labels(rows))
            losses["loss_replay"] = self.options.beta * loss
        return losses
