"""Threshold: the detections are unsure on average."""

from __future__ import annotations

from typing import Any

from sedna.algorithms.hard_example_mining.base import unit_number
from sedna.algorithms.hard_example_mining.boxes import BoxFilter
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import Verdict

__all__ = ["ThresholdFilter"]


@ClassFactory.register(ClassType.HEM, alias="Threshold")
class ThresholdFilter(BoxFilter):
    """Hard when the mean score of the boxes is below ``threshold``.

    Args:
        threshold: in [0, 1].
        empty: see `BoxFilter`.

    Raises:
        SpecError: a parameter is out of range.
    """

    alias = "Threshold"

    def __init__(self, threshold: float | str = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold = unit_number("threshold", threshold)

    def _judge_scores(self, scores: list[float]) -> Verdict:
        total = 0.0
        for score in scores:  # not sum(): from Python 3.12 on it rounds differently, and so might the verdict
            total += score
        mean = total / len(scores)
        hard = mean < self.threshold
        return Verdict(
            hard=hard,
            miner=self.name,
            score=mean,
            threshold=self.threshold,
            reason=f"mean score {mean:.4g} of {len(scores)} boxes is {'' if hard else 'not '}below {self.threshold:g}",
        )
