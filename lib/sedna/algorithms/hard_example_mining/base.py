"""What all miners share: the two ways to ask them, reading of predictions and of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from sedna.common.errors import SpecError
from sedna.common.log import LOGGER
from sedna.common.types import Verdict

__all__ = ["TOLERANCE", "BaseFilter", "InvalidPredictionError", "as_list", "unit_number", "verdict_of"]

TOLERANCE = 1e-6
"""How far outside [0, 1] a score may be and still count as 0 or 1: some units in the last place of a 32-bit float."""


class InvalidPredictionError(ValueError):
    """A miner cannot read a prediction. Stays inside this package: the verdict is "not hard", with this reason."""


class BaseFilter:
    """Base class of miners. A miner overrides `judge`; one written for upstream overrides ``__call__`` instead.

    Parameters that a miner does not know are named in the log and ignored, as upstream does.
    """

    alias: ClassVar[str] = ""
    """The registered name; it goes into the verdicts. Empty: the class name."""

    def __init__(self, **unknown: Any) -> None:
        if unknown:
            LOGGER.warning("miner %s ignores the parameters %s", self.name, ", ".join(sorted(unknown)))

    @property
    def name(self) -> str:
        """What verdicts call this miner."""
        return self.alias or type(self).__name__

    def __call__(self, infer_result: Any = None, *_args: Any, **_kwargs: Any) -> bool:
        """Whether the sample is hard; the short form of `judge`."""
        # Each of the two is defined by the other, so that a miner may override either; with neither they never end.
        if type(self).judge is BaseFilter.judge:
            raise NotImplementedError(f"{type(self).__name__} overrides neither judge nor __call__")
        return self.judge(infer_result).hard

    def judge(self, infer_result: Any = None) -> Verdict:
        """The verdict on one prediction.

        Args:
            infer_result: what the miner documents; nested lists, tuples, numpy arrays and torch tensors are alike.

        Returns:
            A verdict for every input: a prediction that cannot be read is not hard, and the reason says what is wrong.
        """
        return Verdict(hard=bool(self(infer_result)), miner=self.name, reason="the miner gives no reason")

    @classmethod
    def data_check(cls, data: Any) -> bool:
        """Whether a number lies in [0, 1]; False for NaN."""
        return 0 <= float(data) <= 1


def verdict_of(miner: Callable[[Any], Any], infer_result: Any) -> Verdict:
    """The verdict of any registered miner, also of a plain callable that only answers true or false."""
    if isinstance(miner, BaseFilter):
        return miner.judge(infer_result)
    name = getattr(miner, "__name__", type(miner).__name__)
    return Verdict(hard=bool(miner(infer_result)), miner=name, reason="the miner gives no reason")


def as_list(value: Any) -> list[Any]:
    """A prediction as a list: None is empty, arrays and tensors are converted.

    Raises:
        InvalidPredictionError: it is a number, a text or a mapping.
    """
    if value is None:
        return []
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, str | bytes | Mapping):
        raise InvalidPredictionError(f"a {type(value).__name__} is no prediction")
    try:
        return list(value)
    except TypeError:
        raise InvalidPredictionError(f"a {type(value).__name__} is no prediction") from None


def score_of(value: Any, what: str) -> float:
    """A score as a number in [0, 1]; up to `TOLERANCE` outside is clipped.

    Raises:
        InvalidPredictionError: not a number, NaN, or farther outside; the message begins with ``what``.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidPredictionError(f"{what} is {value!r}, not a number") from None
    if not -TOLERANCE <= number <= 1 + TOLERANCE:  # also catches NaN
        raise InvalidPredictionError(f"{what} is {number}, outside [0, 1]")
    return min(max(number, 0.0), 1.0)


def unit_number(name: str, value: Any) -> float:
    """A parameter in [0, 1], which may be given as text (job descriptions carry only texts).

    Raises:
        SpecError: anything else.
    """
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= 1:
        raise SpecError(
            f"{value!r} is no number in [0, 1]", where=f"hardExampleMining.parameters.{name}", hint='such as "0.9"'
        )
    return number
