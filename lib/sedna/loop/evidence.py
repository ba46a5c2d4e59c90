"""What an evaluation found, per sample, so that two models can be compared on the same samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, Final, Self

from pydantic import Field, model_validator

from sedna.common.types import Value

MetricName = str

LARGEST: Final = 1e300
"""Of a reported number: differences and sums of larger ones are not finite, and nothing could be judged by them."""

Count = Annotated[int, Field(ge=0, le=2**53)]
Number = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]


class SampleScore(Value):
    """One model's result on one sample: per-class counts (C,), or one number for algorithms that count otherwise.

    Classification counts as well: a right answer is ``tp`` of its class, a wrong one ``fn`` of the true and ``fp``
    of the answered class.
    """

    sample: str
    tp: tuple[Count, ...] = ()
    fp: tuple[Count, ...] = ()
    fn: tuple[Count, ...] = ()
    value: Number | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if not len(self.tp) == len(self.fp) == len(self.fn):
            raise ValueError(f"sample {self.sample}: tp, fp and fn differ in length")
        if not self.tp and self.value is None:
            raise ValueError(f"sample {self.sample}: neither counts nor a value")
        return self


class ModelScores(Value):
    """One model's evaluation: what the algorithm reported, and its results per sample if it gave them."""

    metrics: dict[str, float | tuple[float, ...]] = Field(default_factory=dict)
    per_sample: tuple[SampleScore, ...] = ()

    def on(self, samples: frozenset[str]) -> tuple[SampleScore, ...]:
        """The results on these samples, in the order in which they were reported."""
        return tuple(score for score in self.per_sample if score.sample in samples)

    @classmethod
    def from_report(cls, metrics: Mapping[str, Any]) -> Self:
        """Read a worker's ``metrics``: finite numbers and lists of numbers are kept, anything else is left out.

        Raises:
            ValidationError: an entry of ``per_sample`` is not a result on a sample.
        """
        kept: dict[str, float | tuple[float, ...]] = {}
        for name, value in metrics.items():
            if name == "per_sample":
                continue
            if isinstance(value, int | float) and _usable(value):
                kept[name] = float(value)
            elif isinstance(value, list | tuple) and value and all(isinstance(entry, int | float) for entry in value):
                kept[name] = tuple(float(entry) if _usable(entry) else 0.0 for entry in value)
        rows = metrics.get("per_sample")
        if not isinstance(rows, list | tuple):
            rows = ()
        return cls(metrics=kept, per_sample=tuple(SampleScore.model_validate(row) for row in rows))


def _usable(value: float) -> bool:
    """Not NaN, which compares as False, and not too large, which an integer of any length may be."""
    return -LARGEST <= value <= LARGEST


class Evaluation(Value):
    """Both models on the same samples. ``judged`` are fresh samples, ``holdout`` the frozen ones nobody trains on."""

    candidate: ModelScores
    champion: ModelScores | None = None
    judged: frozenset[str] = frozenset()
    holdout: frozenset[str] = frozenset()


Counts = Sequence[float]
Statistic = Callable[[Counts, Counts, Counts], float]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def class_f1(tp: Counts, fp: Counts, fn: Counts) -> list[float | None]:
    """F1 of every class; None where a class neither occurs nor is predicted."""
    return [_ratio(2 * t, 2 * t + p + n) if t + p + n else None for t, p, n in zip(tp, fp, fn, strict=True)]


def _f1(tp: Counts, fp: Counts, fn: Counts) -> float:
    return _ratio(2 * sum(tp), 2 * sum(tp) + sum(fp) + sum(fn))


def _f1_macro(tp: Counts, fp: Counts, fn: Counts) -> float:
    present = [value for value in class_f1(tp, fp, fn) if value is not None]
    return _ratio(math.fsum(present), len(present))


def _precision(tp: Counts, fp: Counts, _fn: Counts) -> float:
    return _ratio(sum(tp), sum(tp) + sum(fp))


def _recall(tp: Counts, _fp: Counts, fn: Counts) -> float:
    return _ratio(sum(tp), sum(tp) + sum(fn))


COUNT_STATISTICS: dict[MetricName, Statistic] = {
    "f1": _f1,
    "f1_macro": _f1_macro,
    "precision": _precision,
    "recall": _recall,
    "accuracy": _recall,
}
"""Statistics of summed counts. With one answer a sample, recall over all classes is accuracy."""


def total_counts(scores: Iterable[SampleScore]) -> tuple[list[int], list[int], list[int]]:
    """Sums of tp, fp, fn over samples, each (C,)."""
    rows = list(scores)
    width = max((len(row.tp) for row in rows), default=0)
    totals = ([0] * width, [0] * width, [0] * width)
    for row in rows:
        for total, counts in zip(totals, (row.tp, row.fp, row.fn), strict=True):
            for index, count in enumerate(counts):
                total[index] += count
    return totals


def statistic(metric: MetricName, scores: Sequence[SampleScore]) -> float | None:
    """The metric over these samples; None when they do not carry what it needs."""
    if not scores:
        return None
    if metric == "value":
        values = [score.value for score in scores if score.value is not None]
        return math.fsum(values) / len(values) if len(values) == len(scores) else None
    if any(not score.tp for score in scores):
        return None
    return COUNT_STATISTICS[metric](*total_counts(scores))
