"""Object detection: the feature pyramid detector "FPN" for training, and its ONNX form for edges.

Names are imported when they are first used, so that an edge without torch and a trainer without ONNX Runtime both work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sedna.algorithms.detection.config import FPNConfig as FPNConfig
    from sedna.algorithms.detection.fpn import BaseModel as BaseModel
    from sedna.algorithms.detection.onnx_runtime import OnnxDetector as OnnxDetector
    from sedna.algorithms.training.progress import TrainingProgress as TrainingProgress

_HOMES = {
    "BaseModel": "sedna.algorithms.detection.fpn",
    "FPNConfig": "sedna.algorithms.detection.config",
    "OnnxDetector": "sedna.algorithms.detection.onnx_runtime",
    "TrainingProgress": "sedna.algorithms.training.progress",
}

__all__ = ["BaseModel", "FPNConfig", "OnnxDetector", "TrainingProgress"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
