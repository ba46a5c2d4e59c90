"""The classifier as an ONNX file that an edge runs without torch: pixels in, probabilities out."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sedna.algorithms.continual.job.model_file import ModelHeader
from sedna.algorithms.training.onnx_export import forget_origins
from sedna.common.atomic import write_atomic

CLASSIFIER_KEY = "sedna.classifier"
"""Metadata key under which edges look for how a picture becomes the input; uint8 pixels need no description."""


class Exported(nn.Module):
    """The graph of the file: normalisation, network (also of the mirror image, if the method predicts so), softmax."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, header: ModelHeader) -> None:
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


def export_onnx(path: Path, network: nn.Module, header: ModelHeader) -> None:
    """Write the file in one step; the batch size is free, the side of the picture is fixed."""
    wrapped = Exported(network, header).eval()
    example = (torch.zeros((2, 3, header.image_size, header.image_size), dtype=torch.uint8),)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # The exporter of some torch releases uses what the same release calls deprecated; nothing a caller can act on.
        warnings.simplefilter("ignore")
        raw = Path(folder) / "model.onnx"
        torch.onnx.export(
            wrapped,
            example,
            raw,
            input_names=["pixels"],
            output_names=["probabilities"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1, max=1024)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        graph = onnx.load(raw)
    forget_origins(graph)
    graph.metadata_props.add(key=CLASSIFIER_KEY, value="{}")
    graph.doc_string = f"{header.method} classifier"
    onnx.checker.check_model(graph)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, graph.SerializeToString())
