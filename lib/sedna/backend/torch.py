"""PyTorch. Unlike upstream's, it trains, loads from the path it is given, and lets errors pass."""

from __future__ import annotations

from typing import ClassVar

from sedna.backend.base import BackendBase

__all__ = ["TorchBackend"]


class TorchBackend(BackendBase):
    """Instantiates without arguments at once, models are ``.pth`` files. Torch is imported only to look for a GPU."""

    framework: ClassVar[str] = "pytorch"
    suffix: ClassVar[str] = ".pth"
    instantiates_at_once: ClassVar[bool] = True

    @property
    def device(self) -> str:
        """Either "cuda", when a GPU is offered and there, or "cpu"."""
        if not self.use_cuda:
            return "cpu"
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"
