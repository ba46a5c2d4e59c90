"""The detector on an edge: ONNX Runtime, numpy and pillow; torch is not needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as ort
from pydantic import ValidationError

from sedna.algorithms.detection.onnx_spec import METADATA_KEY, OnnxSpec
from sedna.algorithms.detection.postprocess import Detection, select
from sedna.algorithms.detection.preprocess import batch_pixels, letterbox, read_picture
from sedna.algorithms.training.samples import Picture
from sedna.common.errors import ModelError
from sedna.common.validation import as_error

_OPEN_ERRORS = (
    ort.Fail,
    ort.InvalidProtobuf,
    ort.InvalidGraph,
    ort.InvalidArgument,
    ort.NoSuchFile,
    ort.NotImplemented,
)


class OnnxDetector:
    """A detector exported by ``FPN.export_onnx``.

    Args:
        path: the .onnx file.
        threads: CPU threads a picture may use.
        score_threshold: reported boxes have at least this score; None takes the model's own.

    Raises:
        ModelError: the file is missing, broken, or was not exported by this project.
    """

    def __init__(self, path: str | Path, *, threads: int = 1, score_threshold: float | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Errors only: its warnings are about the graph, and nobody at an edge can change that.
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except _OPEN_ERRORS as error:
            raise ModelError(f"cannot be opened: {error}", where=str(path), hint="a file of FPN.export_onnx") from error
        self.spec = _read_spec(self._session.get_modelmeta().custom_metadata_map, str(path))
        self._threshold = self.spec.score_threshold if score_threshold is None else score_threshold

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in label order."""
        return self.spec.class_names

    def predict(self, pictures: Sequence[Picture]) -> list[list[Detection]]:
        """Rows ``[x1, y1, x2, y2, score, label]`` per picture, in pixels of the picture, best score first.

        Pictures run one by one: on a CPU a batch is not faster, and memory stays bounded.

        Raises:
            DataError: a picture cannot be read, or an array is no uint8 (H, W, 3); the message names it.
        """
        return [self._predict_one(picture) for picture in pictures]

    def _predict_one(self, picture: Picture) -> list[Detection]:
        boxed = letterbox(read_picture(picture), self.spec.input_size)
        boxes_BN4, scores_BNK = self.raw(batch_pixels([boxed], self.spec.input_size))
        return select(
            boxes_BN4[0],
            scores_BNK[0],
            score_threshold=self._threshold,
            nms_threshold=self.spec.nms_threshold,
            max_detections=self.spec.max_detections,
            size=boxed.size,
            scale=boxed.scale,
        )

    def raw(self, x_BHWC: np.ndarray[Any, np.dtype[np.uint8]]) -> tuple[Any, Any]:
        """Network output before thresholds: (boxes_BN4, scores_BNK), float32."""
        boxes_BN4, scores_BNK = self._session.run(["boxes", "scores"], {"pixels": x_BHWC})
        return boxes_BN4, scores_BNK


def _read_spec(metadata: dict[str, str], where: str) -> OnnxSpec:
    wrong = {"where": where, "hint": "a file of FPN.export_onnx"}
    try:
        return OnnxSpec.model_validate_json(metadata[METADATA_KEY])
    except KeyError:
        raise ModelError(f"has no {METADATA_KEY} metadata", **wrong) from None
    except ValidationError as error:
        raise as_error(ModelError, error, what=f"has no valid {METADATA_KEY} metadata", **wrong) from error
