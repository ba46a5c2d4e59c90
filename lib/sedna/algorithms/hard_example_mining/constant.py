"""CloudOnly and EdgeOnly: every sample is hard, or none. The two ends between which a miner earns its cost."""

from __future__ import annotations

from typing import Any

from sedna.algorithms.hard_example_mining.base import BaseFilter
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import Verdict

__all__ = ["CloudOnlyFilter", "EdgeOnlyFilter"]


@ClassFactory.register(ClassType.HEM, alias="CloudOnly")
class CloudOnlyFilter(BaseFilter):
    """Keeps everything: the upper bound of what mining can find, at the full cost."""

    alias = "CloudOnly"

    def judge(self, infer_result: Any = None) -> Verdict:  # noqa: ARG002 - whatever the prediction
        return Verdict(hard=True, miner=self.name, reason="every sample is hard for this miner")


@ClassFactory.register(ClassType.HEM, alias="EdgeOnly")
class EdgeOnlyFilter(BaseFilter):
    """Keeps nothing: switches mining off without touching the rest of the job."""

    alias = "EdgeOnly"

    def judge(self, infer_result: Any = None) -> Verdict:  # noqa: ARG002 - whatever the prediction
        return Verdict(hard=False, miner=self.name, reason="no sample is hard for this miner")
