"""IBT (image box threshold): many of the detections are unsure."""

from __future__ import annotations

from typing import Any

from sedna.algorithms.hard_example_mining.base import unit_number
from sedna.algorithms.hard_example_mining.boxes import BoxFilter
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import Verdict

__all__ = ["IBTFilter"]


@ClassFactory.register(ClassType.HEM, alias="IBT")
class IBTFilter(BoxFilter):
    """Hard when at least the share ``1 - threshold_img`` of the boxes has a score of at most ``threshold_box``.

    Args:
        threshold_img: in [0, 1]; higher finds more hard samples, 1 finds all.
        threshold_box: in [0, 1]; higher finds more hard samples.
        empty: see `BoxFilter`.

    Raises:
        SpecError: a parameter is out of range.
    """

    alias = "IBT"

    def __init__(self, threshold_img: float | str = 0.5, threshold_box: float | str = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold_img = unit_number("threshold_img", threshold_img)
        self.threshold_box = unit_number("threshold_box", threshold_box)

    def _judge_scores(self, scores: list[float]) -> Verdict:
        unsure = sum(score <= self.threshold_box for score in scores)
        share = unsure / len(scores)
        needed = 1 - self.threshold_img
        return Verdict(
            hard=share >= needed,
            miner=self.name,
            score=share,
            threshold=needed,
            reason=f"{unsure} of {len(scores)} boxes score at most {self.threshold_box:g}, hard from {needed:.0%}",
        )
