"""Residual Attention Network for small pictures: trunk blocks gated by a down-up mask, output (1 + mask) * trunk.

Source: F. Wang et al., Residual Attention Network for Image Classification, CVPR 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sedna.algorithms.continual.models.cifar_resnet import BasicBlock
from sedna.algorithms.continual.models.classifier import StagedBody, init_convolutions


class AttentionModule(nn.Module):
    """Trunk of two blocks; the mask sees the input at half and quarter resolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.trunk = nn.Sequential(BasicBlock(channels, channels, 1, None), BasicBlock(channels, channels, 1, None))
        self.down1 = BasicBlock(channels, channels, 1, None)
        self.down2 = BasicBlock(channels, channels, 1, None)
        self.up = BasicBlock(channels, channels, 1, None)
        self.gate = nn.Conv2d(channels, channels, 1)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        half = self.down1(functional.max_pool2d(x_BCHW, 2, ceil_mode=True))
        quarter = self.down2(functional.max_pool2d(half, 2, ceil_mode=True))
        joined = half + functional.interpolate(quarter, size=half.shape[2:], mode="bilinear", align_corners=False)
        mask = functional.interpolate(self.up(joined), size=x_BCHW.shape[2:], mode="bilinear", align_corners=False)
        trunk: Tensor = self.trunk(x_BCHW)
        return (1 + torch.sigmoid(self.gate(mask))) * trunk


def residual_attention_body(width: int = 64) -> StagedBody:
    """Three stages of a block and an attention module, then one block."""
    channels = [width, width * 2, width * 4, width * 8]
    stages: list[nn.Module] = []
    previous = 3
    for index, count in enumerate(channels):
        layers: list[nn.Module] = []
        if index == 0:
            layers += [nn.Conv2d(3, count, 3, 1, 1, bias=False), nn.BatchNorm2d(count), nn.ReLU(inplace=True)]
            previous = count
        layers.append(BasicBlock(previous, count, 1 if index == 0 else 2, None))
        if index < 3:
            layers.append(AttentionModule(count))
        stages.append(nn.Sequential(*layers))
        previous = count
    body = StagedBody(stages, channels)
    init_convolutions(body)
    return body
