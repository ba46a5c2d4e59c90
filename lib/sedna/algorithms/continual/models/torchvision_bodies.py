"""Bodies from torchvision, without weights: ResNet, ResNeXt, MobileNetV2, VGG, Inception."""

from __future__ import annotations

from collections.abc import Callable

import torchvision.models as zoo
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.resnet import Bottleneck

_INCEPTION_MIN = 75
"""Smallest side that Inception's valid convolutions accept."""


class PooledFeatures(nn.Module):
    """Global average over the output of a convolutional trunk."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return self.trunk(x_BCHW).mean((2, 3))  # type: ignore[no-any-return]


class Enlarged(nn.Module):
    """Enlarges pictures that are too small for the body."""

    def __init__(self, body: nn.Module, least: int) -> None:
        super().__init__()
        self.body = body
        self.least = least

    def forward(self, x_BCHW: Tensor) -> Tensor:
        if min(x_BCHW.shape[2:]) < self.least:
            x_BCHW = functional.interpolate(x_BCHW, size=(self.least, self.least), mode="bilinear", align_corners=False)
        return self.body(x_BCHW)  # type: ignore[no-any-return]


def resnet18() -> tuple[nn.Module, int]:
    """ResNet18; its basic blocks have one width."""
    return _without_head(zoo.resnet18(weights=None))


def bottleneck_resnet50(width: int, groups: int = 1) -> tuple[nn.Module, int]:
    """ResNet50 (one group of width 64 is the original), or with 32 groups ResNeXt50 (of width 4)."""
    return _without_head(zoo.ResNet(Bottleneck, [3, 4, 6, 3], groups=groups, width_per_group=width))


def _without_head(net: zoo.ResNet) -> tuple[nn.Module, int]:
    feature_dim = int(net.fc.in_features)
    net.fc = nn.Identity()
    return net, feature_dim


def mobilenet_v2(multiplier: float) -> tuple[nn.Module, int]:
    """MobileNetV2 with a width multiplier."""
    net = zoo.mobilenet_v2(weights=None, width_mult=multiplier)
    return PooledFeatures(net.features), int(net.last_channel)


def vgg(build: Callable[..., nn.Module]) -> tuple[nn.Module, int]:
    """The convolutions of a VGG with batch norm; global average instead of the three large linear layers."""
    return PooledFeatures(build(weights=None).get_submodule("features")), 512


def inception_v3() -> tuple[nn.Module, int]:
    """InceptionV3 without auxiliary head; small pictures are enlarged to 75 x 75."""
    net = zoo.inception_v3(weights=None, aux_logits=False, init_weights=False)
    feature_dim = int(net.fc.in_features)
    net.fc = nn.Identity()
    return Enlarged(net, _INCEPTION_MIN), feature_dim
