"""The classifier as an ONNX file that an edge runs without torch: pixels in, probabilities out."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from sedna.algorithms.continual.job.model_file import ClassifierHeader
from sedna.algorithms.training.onnx_export import write_onnx

CLASSIFIER_KEY = "sedna.classifier"
"""Metadata key under which edges look for how a picture becomes the input; uint8 pixels need no description."""


class ExportedClassifier(nn.Module):
    """The graph of the file: normalisation, network (also of the mirror image, if the method predicts so), softmax."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, header: ClassifierHeader) -> None:
        super().__init__()
        self.network = network
        self.mirror = header.mirror
        self.register_buffer("mean", torch.tensor(header.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(header.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """``pixels`` uint8 RGB ``(B, 3, S, S)`` -> probabilities ``(B, C)``."""
        x = (pixels.float() - self.mean) / self.std
        logits: Tensor = self.network(x)
        if self.mirror:
            logits = (logits + self.network(x.flip(3))) / 2
        return logits.softmax(1)


def export_onnx(path: Path, network: nn.Module, header: ClassifierHeader) -> None:
    """Write the file in one step; the batch size is free, the side of the picture is fixed."""
    write_onnx(
        path,
        ExportedClassifier(network, header),
        torch.zeros((2, 3, header.image_size, header.image_size), dtype=torch.uint8),
        outputs=("probabilities",),
        metadata=(CLASSIFIER_KEY, "{}"),
        title=f"{header.method} classifier",
    )
