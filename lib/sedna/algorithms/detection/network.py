"""Feature-pyramid, anchor-free detector: a small residual backbone, a pyramid, and one head shared by all levels.

Letters in shapes: B images, C channels, H and W pixels, N locations over all levels, K classes.

The pyramid is Lin et al. 2017 (arXiv:1612.03144, through torchvision), the head is FCOS without its centre-ness branch
(Tian et al. 2019, arXiv:1904.01355): every location predicts K scores and the four distances to the sides of its box.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
import torchvision
from torch import Tensor, nn
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.ops import FeaturePyramidNetwork

STRIDES = (8, 16, 32)
"""Pixels per location on each pyramid level; the side of an input must be a multiple of the last."""

_PRIOR = 0.01
"""Score of every class before training, so that the first focal losses are not swamped by background."""

_LUMA = (0.299, 0.587, 0.114)
"""ITU-R BT.601, the weights PIL uses for mode L."""


def conv_bn(channels_in: int, channels_out: int, *, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two 3x3 convolutions around a skip connection; shape unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_bn(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x_BCHW: Tensor) -> Tensor:
        return torch.relu(x_BCHW + self.second(self.first(x_BCHW)))


class SlimBackbone(nn.Module):
    """Made for two CPU cores: pixels are folded 4x4 into channels first, so no convolution runs at full resolution."""

    widths = (48, 64, 96)

    def __init__(self, channels_in: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.PixelUnshuffle(4), conv_bn(16 * channels_in, 32), Residual(32))
        self.stage3 = nn.Sequential(conv_bn(32, 48, stride=2), Residual(48), Residual(48))
        self.stage4 = nn.Sequential(conv_bn(48, 64, stride=2), Residual(64))
        self.stage5 = nn.Sequential(conv_bn(64, 96, stride=2), Residual(96))

    def forward(self, x_BCHW: Tensor) -> dict[str, Tensor]:
        p3 = self.stage3(self.stem(x_BCHW))
        p4 = self.stage4(p3)
        return {"p3": p3, "p4": p4, "p5": self.stage5(p4)}


def _torchvision_backbone(name: str, channels_in: int) -> tuple[nn.Module, tuple[int, ...]]:
    net = torchvision.models.get_model(name, weights=None)
    if channels_in != 3:
        net.conv1 = nn.Conv2d(channels_in, net.conv1.out_channels, 7, 2, 3, bias=False)
    width = cast(int, net.fc.in_features)
    # These layers have the strides 8, 16 and 32 of STRIDES.
    body = create_feature_extractor(net, {"layer2": "p3", "layer3": "p4", "layer4": "p5"})
    return body, (width // 4, width // 2, width)


class Head(nn.Module):
    """Convolutions shared by all levels; batch norm per level, because the statistics of the levels differ."""

    def __init__(self, channels: int, num_classes: int, num_convs: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1, bias=False) for _ in range(num_convs))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(num_convs)) for _ in STRIDES)
        self.classify = nn.Conv2d(channels, num_classes, 3, 1, 1)
        self.regress = nn.Conv2d(channels, 4, 3, 1, 1)
        for conv in (self.classify, self.regress):
            nn.init.normal_(conv.weight, std=0.01)
        assert self.classify.bias is not None
        assert self.regress.bias is not None
        nn.init.constant_(self.classify.bias, -torch.log(torch.tensor((1 - _PRIOR) / _PRIOR)).item())
        nn.init.constant_(self.regress.bias, 2.0)

    def forward(self, features: list[Tensor]) -> tuple[Tensor, Tensor]:
        logits, distances = [], []
        for feature, norms, stride in zip(features, self.norms, STRIDES, strict=True):
            x_BCHW = feature
            for conv, norm in zip(self.convs, cast(nn.ModuleList, norms), strict=True):
                x_BCHW = torch.relu(norm(conv(x_BCHW)))
            logits.append(self.classify(x_BCHW).flatten(2).transpose(1, 2))
            sides_BN4 = self.regress(x_BCHW).flatten(2).transpose(1, 2).float()
            distances.append(nn.functional.softplus(sides_BN4) * stride)
        return torch.cat(logits, 1).float(), torch.cat(distances, 1)


class Detector(nn.Module):
    """From pixels to one score per class and four side distances per location.

    Args:
        num_classes: K.
        backbone: "slim", or a torchvision ResNet by name (random weights).
        input_channels: 1 (the picture is turned into luminance) or 3.
        fpn_channels: width of the pyramid and the head.
        head_convs: convolutions in the head before the two outputs.
    """

    def __init__(
        self, num_classes: int, *, backbone: str, input_channels: int, fpn_channels: int, head_convs: int
    ) -> None:
        super().__init__()
        self.input_channels = input_channels
        self.body: nn.Module
        widths: tuple[int, ...]
        if backbone == "slim":
            self.body, widths = SlimBackbone(input_channels), SlimBackbone.widths
        else:
            self.body, widths = _torchvision_backbone(backbone, input_channels)
        self.pyramid = FeaturePyramidNetwork(list(widths), fpn_channels)
        self.head = Head(fpn_channels, num_classes, head_convs)

    def forward(self, x_BCHW: Tensor) -> tuple[Tensor, Tensor]:
        """``x_BCHW`` holds RGB in 0..255 (any dtype) -> (logits_BNK, distances_BN4 in pixels), both float32."""
        x_BCHW = x_BCHW.float()
        if self.input_channels == 1:
            luma = torch.tensor(_LUMA, dtype=x_BCHW.dtype, device=x_BCHW.device)
            x_BCHW = (x_BCHW * luma[:, None, None]).sum(1, keepdim=True)
        features: dict[str, Tensor] = self.body((x_BCHW - 127.5) / 64.0)
        pyramid = self.pyramid(OrderedDict(features))
        return cast(tuple[Tensor, Tensor], self.head(list(pyramid.values())))


def locations(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Centres of all locations of an input: (xy_N2 in pixels, stride_N), in the order of ``Detector.forward``."""
    points, strides = [], []
    for stride in STRIDES:
        ys = (torch.arange(height // stride) + 0.5) * stride
        xs = (torch.arange(width // stride) + 0.5) * stride
        grid_y, grid_x = torch.meshgrid(ys, xs, indexing="ij")
        points.append(torch.stack([grid_x.flatten(), grid_y.flatten()], 1))
        strides.append(torch.full((grid_x.numel(),), float(stride)))
    return torch.cat(points), torch.cat(strides)


def decode(points_N2: Tensor, distances_BN4: Tensor) -> Tensor:
    """Distances to left, top, right, bottom -> boxes x1, y1, x2, y2 in pixels of the network's input."""
    return torch.cat([points_N2 - distances_BN4[..., :2], points_N2 + distances_BN4[..., 2:]], -1)
