"""Networks by name and width."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torchvision.models as zoo
from pydantic import BaseModel, ConfigDict, Field
from torch import nn

from sedna.algorithms.continual.models.cifar_resnet import ConvBlockAttention, SqueezeExcite, cifar_resnet_body
from sedna.algorithms.continual.models.classifier import Classifier, StagedBody
from sedna.algorithms.continual.models.conv4 import conv4_body
from sedna.algorithms.continual.models.residual_attention import residual_attention_body
from sedna.algorithms.continual.models.torchvision_bodies import (
    bottleneck_resnet50,
    inception_v3,
    mobilenet_v2,
    resnet18,
    vgg,
)
from sedna.algorithms.continual.names import suggestion
from sedna.algorithms.continual.rng import seed_torch
from sedna.common.errors import SpecError


class ModelConfig(BaseModel):
    """The ``model`` section of a configuration."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="conv4", description="see NETWORKS")
    width: int | None = Field(default=None, ge=1, description="channels of the first stage; null: the usual width")


Body = tuple[nn.Module, int]


def _staged(body: StagedBody) -> Body:
    return body, body.channels[-1]


_TABLE: dict[str, tuple[int, Callable[[int], Body]]] = {
    "conv4": (32, lambda width: _staged(conv4_body(width))),
    "conv2": (8, lambda width: _staged(conv4_body(width, blocks=2))),
    "cifar_resnet10": (64, lambda width: _staged(cifar_resnet_body(10, width))),
    "cifar_resnet18": (64, lambda width: _staged(cifar_resnet_body(18, width))),
    "cifar_resnet34": (64, lambda width: _staged(cifar_resnet_body(34, width))),
    "senet18": (64, lambda width: _staged(cifar_resnet_body(18, width, SqueezeExcite))),
    "cbam18": (64, lambda width: _staged(cifar_resnet_body(18, width, ConvBlockAttention))),
    "ran": (64, lambda width: _staged(residual_attention_body(width))),
    "resnet18": (64, lambda _width: resnet18()),
    "resnet50": (64, bottleneck_resnet50),
    "resnext50": (4, lambda width: bottleneck_resnet50(width, groups=32)),
    "mobilenet_v2": (32, lambda width: mobilenet_v2(width / 32)),
    "vgg11": (64, lambda _width: vgg(zoo.vgg11_bn)),
    "vgg16": (64, lambda _width: vgg(zoo.vgg16_bn)),
    "inception_v3": (32, lambda _width: inception_v3()),
}
_FIXED_WIDTH = frozenset({"resnet18", "vgg11", "vgg16", "inception_v3"})

NETWORKS: tuple[str, ...] = tuple(_TABLE)
"""Names for `build_network`."""


def build_network(config: ModelConfig, num_classes: int, seed: int, *counters: int) -> Classifier:
    """A network with fresh weights; equal arguments give equal weights, and torch's own generator is left alone.

    Raises:
        SpecError: unknown name, or a width for a network that has only one.
    """
    if config.name not in _TABLE:
        hint = suggestion(config.name, NETWORKS)
        raise SpecError(f"unknown network {config.name!r}", where="model.name", hint=hint)
    usual, build = _TABLE[config.name]
    width = config.width or usual
    if config.name in _FIXED_WIDTH and width != usual:
        raise SpecError(f"{config.name} has no width {width}", where="model.width", hint=f"null or {usual}")
    with torch.random.fork_rng(devices=[]):
        seed_torch(seed, "weights", *counters)
        body, feature_dim = build(width)
        return Classifier(body, feature_dim, num_classes)
