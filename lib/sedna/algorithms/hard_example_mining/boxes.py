"""What the miners of detections share: reading the boxes, and what to say when there are none."""

from __future__ import annotations

from typing import Any

from sedna.algorithms.hard_example_mining.base import BaseFilter, InvalidPredictionError, as_list, score_of
from sedna.common.errors import SpecError
from sedna.common.types import Verdict

__all__ = ["BoxFilter"]

_SCORE = 4  # position in [x1, y1, x2, y2, score, label]


class BoxFilter(BaseFilter):
    """Base of miners that look at the scores of ``[[x1, y1, x2, y2, score, label], ...]``.

    Args:
        empty: verdict when nothing was detected. "easy" is upstream's; "hard" suits jobs in which every picture shows
            something, so that an empty answer is a miss.

    Raises:
        SpecError: ``empty`` is something else.
    """

    def __init__(self, *, empty: str = "easy", **unknown: Any) -> None:
        super().__init__(**unknown)
        if empty not in ("easy", "hard"):
            raise SpecError(
                f"{empty!r} is not known", where="hardExampleMining.parameters.empty", hint='"easy" or "hard"'
            )
        self.empty_is_hard = empty == "hard"

    def judge(self, infer_result: Any = None) -> Verdict:
        try:
            scores = self._scores(infer_result)
        except InvalidPredictionError as error:
            return Verdict(hard=False, miner=self.name, reason=f"invalid prediction: {error}")
        if not scores:
            says = "hard" if self.empty_is_hard else "easy"
            return Verdict(hard=self.empty_is_hard, miner=self.name, reason=f"no boxes: {says} by parameter empty")
        return self._judge_scores(scores)

    def _judge_scores(self, scores: list[float]) -> Verdict:
        """The verdict on at least one score, each in [0, 1]."""
        raise NotImplementedError

    @staticmethod
    def _scores(infer_result: Any) -> list[float]:
        scores = []
        for number, row in enumerate(as_list(infer_result)):
            box = as_list(row)
            if len(box) <= _SCORE:
                raise InvalidPredictionError(f"box {number} has {len(box)} values, not [x1, y1, x2, y2, score, label]")
            scores.append(score_of(box[_SCORE], f"the score of box {number}"))
        return scores
