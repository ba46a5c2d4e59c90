"""TensorFlow and Keras, without importing either: sessions and graphs are the estimator's business."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from sedna.backend.base import BackendBase
from sedna.common.file_ops import FileOps

__all__ = ["KerasBackend", "TFBackend"]


class TFBackend(BackendBase):
    """As upstream: instantiates without arguments at once, and a ``.pb`` model is reported twice.

    The second entry is the folder of the checkpoint beside it, from which the next round trains on.
    """

    framework: ClassVar[str] = "tensorflow"
    suffix: ClassVar[str] = ".pb"
    instantiates_at_once: ClassVar[bool] = True
    loads_beside: ClassVar[bool] = False
    prefers: ClassVar[tuple[str, str]] = ("train", "fit")

    def model_info(self, model: str, relpath: str | None = None, result: Any = None) -> list[dict[str, Any]]:
        """As the plain backend; for a ``.pb`` file a second entry of format "ckpt" with the address of its folder."""
        entries = super().model_info(model, relpath, result)
        entries[0]["format"] = entries[0]["format"].lower()
        if entries[0]["format"] == "pb":
            folder = model.rpartition("/")[0] if FileOps.is_remote(model) else str(Path(model).parent)
            entries.append(
                {"format": "ckpt", "url": FileOps.remove_path_prefix(folder, relpath or ""), "metrics": result}
            )
        return entries


class KerasBackend(TFBackend):
    """As `TFBackend`, under its own name."""

    framework: ClassVar[str] = "keras"
