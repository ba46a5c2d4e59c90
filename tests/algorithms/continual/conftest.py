"""A task set that costs nothing: 16 x 16 coloured shapes, 6 classes, 3 tasks x 2 classes, 5 labels a class."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from sedna.algorithms.continual.config import RunConfig, build_config
from sedna.algorithms.continual.data.sets import ContinualLearningTasks, build_tasks
from sedna.algorithms.continual.methods.workbench import Workbench

SMOKE: dict[str, Any] = {
    "data": {
        "kind": "synthetic", "num_tasks": 3, "classes_per_task": 2, "labels_per_class": 5, "uratio": 3,
        "image_size": 16, "padding": 2,
    },
    "model": {"name": "conv2", "width": 8},
    "memory": {"capacity": 30, "disk_capacity": 100, "minibatch": 4},
    "train": {
        "iterations": 30, "precision": "fp32", "memory_format": "contiguous", "checkpoint_interval": 10,
        "epoch_length": 10,
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def smoke_config() -> Callable[..., RunConfig]:
    """``smoke_config(method, **sections)``: the smoke protocol with changes, section by section."""

    def make(
        method: str = "SFT", *, seed: int = 0, options: dict[str, Any] | None = None, **sections: dict[str, Any]
    ) -> RunConfig:
        content = {"seed": seed, **SMOKE, "method": {"name": method, "options": options or {}}}
        for section, changes in sections.items():
            content[section] = {**content.get(section, {}), **changes}
        return build_config(content, where="test")

    return make


@pytest.fixture
def smoke_tasks(smoke_config: Callable[..., RunConfig]) -> ContinualLearningTasks:
    """The tasks of the smoke protocol, seed 0."""
    return build_tasks(smoke_config().data, 0)


@pytest.fixture
def bench(smoke_config: Callable[..., RunConfig], smoke_tasks: ContinualLearningTasks, tmp_path: Path) -> Workbench:
    """A workbench on these tasks."""
    config = smoke_config()
    return Workbench.of(smoke_tasks, tmp_path).with_settings(config.model, config.train, config.memory)
