"""ResNet for small pictures, plain or with attention in each block: the network of the published protocol.

3x3 stem with stride 1, no max-pool, stages of width 1, 2, 4, 8 times ``width`` with strides 1, 2, 2, 2, two basic
blocks each for depth 18, 1x1 projections, global average pooling. The last batch norm of every block starts at zero.
Sources: K. He et al. 2016; J. Hu et al., Squeeze-and-Excitation, 2018; S. Woo et al., CBAM, 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sedna.algorithms.continual.models.classifier import StagedBody, init_convolutions

Attention = Callable[[int], nn.Module]

DEPTHS: dict[int, tuple[int, int, int, int]] = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


class SqueezeExcite(nn.Module):
    """Scales every channel by a gate computed from its mean."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.gate = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels), nn.Sigmoid())

    def forward(self, x_BCHW: Tensor) -> Tensor:
        gate_BC: Tensor = self.gate(x_BCHW.mean((2, 3)))
        return x_BCHW * gate_BC[:, :, None, None]


class ConvBlockAttention(nn.Module):
    """CBAM: a channel gate from mean and maximum, then a spatial gate from the same two over channels."""

    def __init__(self, channels: int, reduction: int = 16, kernel: int = 7) -> None:
        super().__init__()
        hidden = max(4, channels // reduction)
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = nn.Conv2d(2, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        gate = torch.sigmoid(self.channel(x_BCHW.mean((2, 3))) + self.channel(x_BCHW.amax((2, 3))))
        x_BCHW = x_BCHW * gate[:, :, None, None]
        planes = torch.cat([x_BCHW.mean(1, keepdim=True), x_BCHW.amax(1, keepdim=True)], 1)
        return x_BCHW * torch.sigmoid(self.spatial(planes))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, attention: Attention | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.attention = attention(outputs) if attention else nn.Identity()
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        out = torch.relu(self.bn1(self.conv1(x_BCHW)))
        out = self.attention(self.bn2(self.conv2(out)))
        return torch.relu(out + self.shortcut(x_BCHW))


def cifar_resnet_body(depth: int = 18, width: int = 64, attention: Attention | None = None) -> StagedBody:
    """11.2 M parameters with depth 18, width 64 and 100 classes."""
    stem = nn.Sequential(nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True))
    stages: list[nn.Module] = []
    channels = [width * 2**index for index in range(4)]
    previous = width
    for index, (count, blocks) in enumerate(zip(channels, DEPTHS[depth], strict=True)):
        layers: list[nn.Module] = [stem] if index == 0 else []
        for position in range(blocks):
            stride = 2 if position == 0 and index > 0 else 1
            layers.append(BasicBlock(previous, count, stride, attention))
            previous = count
        stages.append(nn.Sequential(*layers))
    body = StagedBody(stages, channels)
    init_convolutions(body)
    for module in body.modules():
        if isinstance(module, BasicBlock):
            # Every block begins as its shortcut; deep networks start to learn more easily so.
            nn.init.zeros_(module.bn2.weight)
    return body
