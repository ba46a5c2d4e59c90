"""What an exported ONNX file says about itself."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

METADATA_KEY = "sedna.fpn"
"""Key of the JSON form of ``OnnxSpec`` in the metadata of the ONNX file."""


class OnnxSpec(BaseModel):
    """What an ONNX file says about itself.

    Input "pixels": x_BHWC uint8 RGB of side ``input_size``. Outputs: "boxes", boxes_BN4 as x1, y1, x2, y2 in pixels of
    that square, and "scores", scores_BNK in 0..1 with K in the order of ``class_names``. ``postprocess.select`` makes
    rows of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: int = Field(default=1, ge=1, le=1)
    class_names: tuple[str, ...]
    input_size: int
    score_threshold: float
    nms_threshold: float
    max_detections: int
