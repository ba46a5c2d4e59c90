"""MindSpore, without importing it: networks and contexts are the estimator's business."""

from __future__ import annotations

from typing import ClassVar

from sedna.backend.base import BackendBase

__all__ = ["MSBackend"]


class MSBackend(BackendBase):
    """As upstream: instantiates without arguments at once, models are ``.ckpt`` files."""

    framework: ClassVar[str] = "mindspore"
    suffix: ClassVar[str] = ".ckpt"
    instantiates_at_once: ClassVar[bool] = True
    loads_beside: ClassVar[bool] = False
    prefers: ClassVar[tuple[str, str]] = ("train", "fit")
