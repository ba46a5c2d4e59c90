"""The precision of a run: as configured, or measured on pictures of the run's shape."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.training.config import TrainConfig
from sedna.algorithms.training.precision import Precision, choose_precision

_BATCH = 32

_BF16 = {"auto": (False, True), "fp32": (False,), "bf16": (True,)}
_CHANNELS_LAST = {"auto": (False, True), "contiguous": (False,), "channels_last": (True,)}
"""What may be chosen for each setting, the usual value first."""


def probe_precision(config: TrainConfig, network: nn.Module, image_shape: tuple[int, int, int]) -> Precision:
    """The configured combination, or the fastest of those that the configuration leaves open.

    Every method forwards pictures of that shape most of the time, so that one plain supervised step stands for all.
    """
    x_BCHW = torch.zeros(_BATCH, *image_shape, device=next(network.parameters()).device)
    y_B = torch.zeros(_BATCH, dtype=torch.long, device=x_BCHW.device)

    def loss_of(precision: Precision) -> Tensor:
        with precision.autocast():
            logits_BC = network(x_BCHW.contiguous(memory_format=precision.memory_format))
        return functional.cross_entropy(logits_BC.float(), y_B)

    return choose_precision(
        network, loss_of, bf16=_BF16[config.precision], channels_last=_CHANNELS_LAST[config.memory_format]
    )
