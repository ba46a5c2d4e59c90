"""Continual learning with few labels: EdgeHML, its baselines, and EdgeHML++.

Nothing here imports torch until a name is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sedna.algorithms.continual.config import RunConfig, load_config
    from sedna.algorithms.continual.data.config import DataConfig
    from sedna.algorithms.continual.data.images import ImageSet
    from sedna.algorithms.continual.data.sets import (
        ContinualLearningTasks,
        SplitSemiCifar10,
        SplitSemiCifar100,
        SplitSemiImages,
        SplitSemiTinyImageNet,
        build_tasks,
    )
    from sedna.algorithms.continual.data.task import BaseSplitSemiTask
    from sedna.algorithms.continual.methods.base import BaseLearningMethod
    from sedna.algorithms.continual.methods.registry import METHODS, TERMS
    from sedna.algorithms.continual.models.factory import NETWORKS, build_network
    from sedna.algorithms.continual.training.result import RunResult
    from sedna.algorithms.continual.training.trainer import Trainer

__all__ = [
    "METHODS",
    "NETWORKS",
    "TERMS",
    "BaseLearningMethod",
    "BaseSplitSemiTask",
    "ContinualLearningTasks",
    "DataConfig",
    "ImageSet",
    "RunConfig",
    "RunResult",
    "SplitSemiCifar10",
    "SplitSemiCifar100",
    "SplitSemiImages",
    "SplitSemiTinyImageNet",
    "Trainer",
    "build_network",
    "build_tasks",
    "load_config",
]

_HOME = {
    "METHODS": "methods.registry",
    "NETWORKS": "models.factory",
    "TERMS": "methods.registry",
    "BaseLearningMethod": "methods.base",
    "BaseSplitSemiTask": "data.task",
    "ContinualLearningTasks": "data.sets",
    "DataConfig": "data.config",
    "ImageSet": "data.images",
    "RunConfig": "config",
    "RunResult": "training.result",
    "SplitSemiCifar10": "data.sets",
    "SplitSemiCifar100": "data.sets",
    "SplitSemiImages": "data.sets",
    "SplitSemiTinyImageNet": "data.sets",
    "Trainer": "training.trainer",
    "build_network": "models.factory",
    "build_tasks": "data.sets",
    "load_config": "config",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
