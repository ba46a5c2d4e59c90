"""The detector as an ONNX file that an edge runs without torch (see ``onnx_runtime``)."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.network import Detector, decode, locations
from sedna.algorithms.detection.onnx_spec import METADATA_KEY, OnnxSpec
from sedna.algorithms.training.onnx_export import forget_origins
from sedna.common.atomic import write_atomic


class Exported(nn.Module):
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
    wrapped = Exported(model, side).eval()
    example = (torch.zeros((2, side, side, 3), dtype=torch.uint8),)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.no_grad():
        # The exporter of some torch releases uses what the same release calls deprecated; nothing a caller can act on.
        warnings.simplefilter("ignore")
        raw = Path(folder) / "model.onnx"
        torch.onnx.export(
            wrapped,
            example,
            raw,
            input_names=["pixels"],
            output_names=["boxes", "scores"],
            dynamic_shapes={"pixels": {0: torch.export.Dim("batch", min=1, max=1024)}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
        graph = onnx.load(raw)
    forget_origins(graph)
    graph.metadata_props.add(key=METADATA_KEY, value=_spec(config).model_dump_json())
    graph.doc_string = "FPN detector"
    onnx.checker.check_model(graph)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, graph.SerializeToString())


def _spec(config: FPNConfig) -> OnnxSpec:
    return OnnxSpec(**config.model_dump(include=set(OnnxSpec.model_fields) - {"version"}))
