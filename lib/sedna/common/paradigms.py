"""Errors for imports of Sedna's other paradigms, which say what this package is and has.

Programs that were written for KubeEdge Sedna's SDK find its modules for incremental learning here, under their own
names. For the others a bare "No module named ..." would look like a broken installation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import NoReturn

__all__ = ["OtherParadigmError", "explain_missing_paradigms", "names_of_other_paradigms"]

_MODULES = {
    "sedna.core.dnn_partitioning": "joint inference",
    "sedna.core.federated_learning": "federated learning",
    "sedna.core.joint_inference": "joint inference",
    "sedna.core.lifelong_learning": "lifelong learning",
    "sedna.core.multi_edge_inference": "multi-edge inference",
    "sedna.core.multi_edge_tracking": "multi-edge inference",
    "sedna.algorithms.aggregation": "federated learning",
    "sedna.algorithms.client_choose": "federated learning",
    "sedna.algorithms.knowledge_management": "lifelong learning",
    "sedna.algorithms.multi_task_learning": "lifelong learning",
    "sedna.algorithms.optical_flow": "multi-edge inference",
    "sedna.algorithms.reid": "multi-edge inference",
    "sedna.algorithms.seen_task_learning": "lifelong learning",
    "sedna.algorithms.transmitter": "federated learning",
    "sedna.algorithms.unseen_task_detect": "lifelong learning",
    "sedna.algorithms.unseen_task_detection": "lifelong learning",
    "sedna.algorithms.unseen_task_processing": "lifelong learning",
    "sedna.datasources.kafka": "multi-edge inference",
    "sedna.datasources.obs": "multi-edge inference",
    "sedna.service.fe_endpoint": "multi-edge inference",
    "sedna.service.kafka_manager": "multi-edge inference",
    "sedna.service.multi_edge_inference": "multi-edge inference",
    "sedna.service.reid_endpoint": "multi-edge inference",
    "sedna.service.run_kb": "lifelong learning",
    "sedna.service.server": "federated learning, lifelong learning and joint inference",
}
"""Upstream's modules that no program of its incremental learning imports, and the paradigm that each serves."""


class OtherParadigmError(ImportError):
    """A part of KubeEdge Sedna's SDK that this package does not have.

    No `ModuleNotFoundError`: ``from sedna.core import NAME`` drops one of those, and its message with it.
    """

    def __init__(self, name: str, paradigm: str) -> None:
        super().__init__(
            f"{name} is part of Sedna's {paradigm}, which this package does not have. This is sedna-il: incremental"
            " learning, with sedna.core.incremental_learning, sedna.datasources, sedna.backend and"
            " sedna.algorithms.hard_example_mining under the names of KubeEdge Sedna's SDK",
            name=name,
        )


class _OtherParadigms(MetaPathFinder):
    """The last finder: it is asked for modules that no other one has found."""

    def find_spec(
        self, fullname: str, _path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        paradigm = _MODULES.get(fullname)
        if paradigm is not None:
            raise OtherParadigmError(fullname, paradigm)
        return None


def explain_missing_paradigms() -> None:
    """Answer imports of modules of other paradigms with `OtherParadigmError`; called again, it changes nothing."""
    if not any(isinstance(finder, _OtherParadigms) for finder in sys.meta_path):
        # At the end: a module that somebody really has is found first.
        sys.meta_path.append(_OtherParadigms())


def names_of_other_paradigms(module: str, names: Mapping[str, str]) -> Callable[[str], NoReturn]:
    """A ``__getattr__`` for a module that has some of upstream's names and not the others.

    Args:
        module: its name.
        names: what is missing, and the paradigm that each serves.
    """

    def missing(name: str) -> NoReturn:
        if name in names:
            raise OtherParadigmError(f"{module}.{name}", names[name])
        raise AttributeError(f"module {module!r} has no attribute {name!r}", name=name)

    return missing
