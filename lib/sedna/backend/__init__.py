"""Backends: the layer between a job and the user's estimator, one for each framework."""

from __future__ import annotations

import importlib
import os
from typing import Any

from sedna.backend.base import BackendBase
from sedna.common.config import BaseConfig
from sedna.common.log import LOGGER

__all__ = ["PLAIN", "BackendBase", "set_backend"]

PLAIN = "ITSELF"
"""Backend type of an estimator that needs no framework."""

_BACKENDS = {
    "TENSORFLOW": ("sedna.backend.tensorflow", "TFBackend"),
    "KERAS": ("sedna.backend.tensorflow", "KerasBackend"),
    "MINDSPORE": ("sedna.backend.mindspore", "MSBackend"),
    "TORCH": ("sedna.backend.torch", "TorchBackend"),
    "PYTORCH": ("sedna.backend.torch", "TorchBackend"),
}


def set_backend(estimator: Any = None, config: BaseConfig | None = None) -> BackendBase | None:
    """Wrap an estimator, class or instance, in the backend that ``BACKEND_TYPE`` names.

    Any other type than the known ones gets the plain backend, which needs no framework. ``CUDA_VISIBLE_DEVICES`` in
    the environment means that a GPU may be used.

    Returns:
        The backend, or None without an estimator.
    """
    if estimator is None:
        return None
    config = config or BaseConfig()
    use_cuda = "CUDA_VISIBLE_DEVICES" in os.environ
    if use_cuda:
        # Upstream's programs read it from there.
        os.environ["DEVICE_CATEGORY"] = "GPU"
    kind = str(config.get("backend_type") or "").upper()
    backend: type[BackendBase] = BackendBase
    if kind in _BACKENDS:
        module, name = _BACKENDS[kind]
        backend = getattr(importlib.import_module(module), name)
    elif kind != PLAIN:
        LOGGER.warning("no backend is named %r; the estimator is used as it is", kind)
    return backend(
        estimator,
        use_cuda=use_cuda,
        use_npu=config.get("device_category") == "NPU",
        model_save_path=config.get("base_model_save") or config.model_url,
        model_name=config.model_name,
    )
