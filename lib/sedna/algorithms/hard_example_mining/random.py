"""Random: every sample has the same chance, whatever the model says."""

from __future__ import annotations

import random
from typing import Any

from sedna.algorithms.hard_example_mining.base import BaseFilter, unit_number
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import SpecError
from sedna.common.types import Verdict

__all__ = ["RandomFilter"]


@ClassFactory.register(ClassType.HEM, alias="Random")
class RandomFilter(BaseFilter):
    """Hard with probability ``random_ratio``. The control arm: a miner that does not beat it is not worth its cost.

    Args:
        random_ratio: in [0, 1].
        seed: the same seed gives the same sequence of verdicts; without one each instance differs, as Python's own
            generator says, so that a process that seeds that one can be repeated.

    Raises:
        SpecError: a parameter is out of range, or the seed is no whole number.
    """

    alias = "Random"

    def __init__(self, random_ratio: float | str = 0.3, seed: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.random_ratio = unit_number("random_ratio", random_ratio)
        try:
            # Its own generator: other users of the global one must not shift the verdicts.
            self._random = random.Random(random.getrandbits(64) if seed in (None, "") else int(seed))
        except (TypeError, ValueError):
            raise SpecError(
                f"{seed!r} is no whole number", where="hardExampleMining.parameters.seed", hint='such as "7"'
            ) from None

    def judge(self, infer_result: Any = None) -> Verdict:  # noqa: ARG002 - whatever the prediction
        drawn = self._random.random()
        return Verdict(
            hard=drawn < self.random_ratio,
            miner=self.name,
            score=drawn,
            threshold=self.random_ratio,
            reason=f"drawn at random with ratio {self.random_ratio:g}",
        )
