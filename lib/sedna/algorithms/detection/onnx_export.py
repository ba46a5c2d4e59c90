"""The detector as an ONNX file that an edge runs without torch (see ``onnx_runtime``)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.network import Detector, decode, locations
from sedna.algorithms.detection.onnx_spec import METADATA_KEY, OnnxSpec
from sedna.algorithms.training.onnx_export import write_onnx


class ExportedDetector(nn.Module):
    """The graph of the file: colour, normalisation, network and box decoding; thresholds stay in ``postprocess``."""

    points_N2: Tensor

    def __init__(self, model: Detector, side: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("points_N2", locations(side, side)[0], persistent=False)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``pixels`` is x_BHWC uint8 RGB -> boxes_BN4 in pixels, scores_BNK."""
        logits_BNK, distances_BN4 = self.model(pixels.permute(0, 3, 1, 2))
        return decode(self.points_N2, distances_BN4), logits_BNK.sigmoid()


def export_onnx(path: Path, model: Detector, config: FPNConfig) -> None:
    """Write the file in one step; batch size is free, the picture side is ``config.input_size``."""
    side = config.input_size
    spec = OnnxSpec(**config.model_dump(include=set(OnnxSpec.model_fields) - {"version"}))
    write_onnx(
        path,
        ExportedDetector(model, side),
        torch.zeros((2, side, side, 3), dtype=torch.uint8),
        outputs=("boxes", "scores"),
        metadata=(METADATA_KEY, spec.model_dump_json()),
        title="FPN detector",
    )
