"""Conv4: four blocks of 3x3 convolution, batch norm, ReLU and 2x2 max-pool; the small network of the CPU protocols."""

from __future__ import annotations

from torch import nn

from sedna.algorithms.continual.models.classifier import StagedBody, init_convolutions


def conv4_body(width: int = 32, blocks: int = 4) -> StagedBody:
    """Channels ``width * (1, 2, 4, 8)``; 0.41 M parameters with width 32 and 100 classes."""
    channels = [width * 2**index for index in range(blocks)]
    stages: list[nn.Module] = []
    previous = 3
    for count in channels:
        convolution = nn.Conv2d(previous, count, 3, padding=1, bias=False)
        stages.append(nn.Sequential(convolution, nn.BatchNorm2d(count), nn.ReLU(inplace=True), nn.MaxPool2d(2)))
        previous = count
    body = StagedBody(stages, channels)
    init_convolutions(body)
    return body
