"""A network as the methods see it: features, and one linear head over all classes."""

from __future__ import annotations

from torch import Tensor, nn


class Classifier(nn.Module):
    """``body`` maps pictures ``(B, 3, H, W)`` to features ``(B, D)``; ``head`` maps these to logits ``(B, C)``."""

    def __init__(self, body: nn.Module, feature_dim: int, num_classes: int) -> None:
        super().__init__()
        self.body = body
        self.feature_dim = feature_dim
        self.head = nn.Linear(feature_dim, num_classes)
        # Small: the first loss is that of guessing, whatever the features are.
        nn.init.normal_(self.head.weight, std=0.01)
        nn.init.zeros_(self.head.bias)

    def features(self, x_BCHW: Tensor) -> Tensor:
        """``(B, D)`` features before the head."""
        features: Tensor = self.body(x_BCHW)
        return features

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """``(B, C)`` logits."""
        logits: Tensor = self.head(self.features(x_BCHW))
        return logits


class StagedBody(nn.Module):
    """A body made of stages that can be run one by one (progressive networks join columns between them).

    Args:
        stages: modules applied in order to ``(B, C, H, W)``.
        channels: output channels of each stage.
    """

    def __init__(self, stages: list[nn.Module], channels: list[int]) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.channels = channels

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """``(B, channels[-1])``: global average of the last stage."""
        for stage in self.stages:
            x_BCHW = stage(x_BCHW)
        return x_BCHW.mean((2, 3))


def init_convolutions(module: nn.Module) -> None:
    """Kaiming normal (fan out, ReLU) for convolutions; batch norm starts as identity."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
