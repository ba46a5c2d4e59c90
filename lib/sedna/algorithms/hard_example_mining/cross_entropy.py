"""CrossEntropy: the class probabilities are spread out."""

from __future__ import annotations

import math
from typing import Any

from sedna.algorithms.hard_example_mining.base import (
    BaseFilter,
    InvalidPredictionError,
    as_list,
    score_of,
    unit_number,
)
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import Verdict

__all__ = ["CrossEntropyFilter"]


@ClassFactory.register(ClassType.HEM, alias="CrossEntropy")
class CrossEntropyFilter(BaseFilter):
    """Hard when ``1 + sum(p ln p) / ln n`` is below ``threshold_cross_entropy``, for ``[p_1, ..., p_n]``.

    The score is 1 for a certain answer and 0 for a uniform one. ``p = 0`` contributes 0, its limit. A single class
    leaves nothing to be unsure of: score 1. Without any probability the verdict is "not hard".

    Args:
        threshold_cross_entropy: in [0, 1].

    Raises:
        SpecError: a parameter is out of range.
    """

    alias = "CrossEntropy"

    def __init__(self, threshold_cross_entropy: float | str = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.threshold_cross_entropy = unit_number("threshold_cross_entropy", threshold_cross_entropy)

    def judge(self, infer_result: Any = None) -> Verdict:
        try:
            values = as_list(infer_result)
            shares = [score_of(value, f"the probability of class {number}") for number, value in enumerate(values)]
        except InvalidPredictionError as error:
            return Verdict(hard=False, miner=self.name, reason=f"invalid prediction: {error}")
        if not shares:
            return Verdict(hard=False, miner=self.name, reason="no probabilities")
        score = _certainty(shares)
        hard = score < self.threshold_cross_entropy
        relation = "below" if hard else "not below"
        return Verdict(
            hard=hard,
            miner=self.name,
            score=score,
            threshold=self.threshold_cross_entropy,
            reason=f"certainty {score:.4g} over {len(shares)} classes is {relation} {self.threshold_cross_entropy:g}",
        )


def _certainty(shares: list[float]) -> float:
    if len(shares) == 1:
        return 1.0
    log_sum = 0.0
    for share in shares:
        log_sum += share * math.log(share) if share > 0 else 0.0
    # In the order of upstream's operations: another one rounds differently, and so might the verdict.
    return 1 + 1.0 * log_sum / math.log(len(shares))
