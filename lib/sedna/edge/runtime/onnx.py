"""ONNX files, by ONNX Runtime alone: the project's own detectors, and any image classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sedna.common.errors import ModelError
from sedna.common.types import Prediction
from sedna.common.validation import as_error
from sedna.edge.image import Pixels
from sedna.edge.runtime.base import ModelRuntime, classification, detection, foreign_errors

if TYPE_CHECKING:
    import onnxruntime

    from sedna.algorithms.detection.onnx_runtime import OnnxDetector

__all__ = ["CLASSIFIER_KEY", "ClassifierSpec", "OnnxClassifierRuntime", "OnnxDetectorRuntime", "open_onnx"]

CLASSIFIER_KEY = "sedna.classifier"
"""Key of the JSON form of `ClassifierSpec` in the metadata of an ONNX file."""

_IMAGE_RANK = 4
_NUMPY_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class ClassifierSpec(BaseModel):
    """How an image becomes the input of a classifier, and what comes out. Every field has a common default.

    For float inputs: ``x = (pixel / 255 - mean) / std`` per channel. uint8 inputs get the pixels as they are. The image
    is resized (bilinear) to the graph's height and width, where the graph fixes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    channels: Literal["RGB", "BGR"] = "RGB"
    output: Literal["probabilities", "logits"] = "probabilities"
    version: int = Field(default=1, ge=1, le=1)


class OnnxDetectorRuntime:
    """A detector that the project exported."""

    def __init__(self, detector: OnnxDetector) -> None:
        self._detector: OnnxDetector | None = detector

    def predict(self, images: Sequence[Pixels]) -> list[Prediction]:
        assert self._detector is not None, "closed"
        with foreign_errors("the detector failed"):
            rows = self._detector.predict(images)
        return [detection(boxes) for boxes in rows]

    def close(self) -> None:
        self._detector = None


class OnnxClassifierRuntime:
    """Any graph with one image input (rank 4, one axis of 3 channels) whose first output is one row per image.

    Raises:
        ModelError: the graph has another shape, or its metadata cannot be read.
    """

    def __init__(self, session: onnxruntime.InferenceSession, where: str) -> None:
        self._session: onnxruntime.InferenceSession | None = session
        self._where = where
        self.spec = _read_spec(session.get_modelmeta().custom_metadata_map.get(CLASSIFIER_KEY, "{}"), where)
        first = session.get_inputs()[0]
        shape = list(first.shape)
        if len(session.get_inputs()) != 1 or len(shape) != _IMAGE_RANK or 3 not in (shape[1], shape[3]):
            raise ModelError(
                f"input {first.name} has shape {shape}",
                where=where,
                hint="one image input, NCHW or NHWC with 3 channels",
            )
        if first.type not in _NUMPY_TYPES:
            raise ModelError(f"input {first.name} is a {first.type}", where=where, hint=", ".join(_NUMPY_TYPES))
        self._name = first.name
        self._dtype = _NUMPY_TYPES[first.type]
        self._channels_first = shape[1] == 3
        height, width = (shape[2], shape[3]) if self._channels_first else (shape[1], shape[2])
        self._size = (width, height) if isinstance(width, int) and isinstance(height, int) else None

    def predict(self, images: Sequence[Pixels]) -> list[Prediction]:
        return [self._predict_one(image) for image in images]

    def close(self) -> None:
        self._session = None

    def _predict_one(self, pixels: Pixels) -> Prediction:
        assert self._session is not None, "closed"
        with foreign_errors(f"{self._where} failed"):
            row = np.asarray(self._session.run(None, {self._name: self._input(pixels)})[0], dtype=np.float64)
        if row.ndim < 1 or row.shape[0] != 1:
            raise ModelError(f"answered with shape {row.shape}", where=self._where, hint="one row per image")
        values = row.reshape(-1)
        if self.spec.output == "logits":
            values = np.exp(values - values.max())
            values = values / values.sum()
        return classification(values.tolist())

    def _input(self, pixels: Pixels) -> np.ndarray[Any, Any]:
        if self._size is not None and self._size != (pixels.shape[1], pixels.shape[0]):
            pixels = np.asarray(Image.fromarray(pixels).resize(self._size, Image.Resampling.BILINEAR))
        if self.spec.channels == "BGR":
            pixels = pixels[:, :, ::-1]
        x: np.ndarray[Any, Any] = pixels
        if self._dtype is not np.uint8:
            mean, std = (np.array(values, dtype=np.float32) for values in (self.spec.mean, self.spec.std))
            x = (pixels.astype(np.float32) / 255.0 - mean) / std
        x = x.transpose(2, 0, 1) if self._channels_first else x
        return np.ascontiguousarray(x[None].astype(self._dtype))


def open_onnx(path: Path, threads: int) -> ModelRuntime:
    """Open an ONNX file; its metadata say whether it is a detector of this project.

    Raises:
        ModelError: it cannot be opened, or is neither such a detector nor an image classifier.
    """
    import onnxruntime

    from sedna.algorithms.detection.onnx_runtime import OnnxDetector
    from sedna.algorithms.detection.onnx_spec import METADATA_KEY

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    with foreign_errors(f"{path} cannot be opened"):
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        metadata = session.get_modelmeta().custom_metadata_map
    if METADATA_KEY in metadata:
        return OnnxDetectorRuntime(OnnxDetector(path, threads=threads))
    return OnnxClassifierRuntime(session, str(path))


def _read_spec(text: str, where: str) -> ClassifierSpec:
    try:
        return ClassifierSpec.model_validate_json(text)
    except ValidationError as error:
        raise as_error(ModelError, error, where, what=f"has invalid {CLASSIFIER_KEY} metadata") from error
