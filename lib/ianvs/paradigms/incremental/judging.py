"""Turning what a basemodel measured into evidence for production's gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ianvs.grammar.reading import shown
from ianvs.usercode.parts import call_metric
from sedna.common.errors import DataError
from sedna.loop import AuditMetrics, Evaluation, ModelScores


@dataclass
class AuditedSamples:
    """What the model in service answered to randomly picked samples."""

    model: int | None = None
    truth: list[Any] = field(default_factory=list)
    answers: dict[Any, Any] = field(default_factory=dict)


class Judge:
    """Reads evaluations of a candidate and of the model in service.

    Args:
        name: metric that the update condition compares; empty when only the gate decides.
        function: its function, handed on to ``evaluate`` and used on audited samples.
        statistics: whether per-sample results are evidence (a gate is given); otherwise the condition decides alone.
    """

    def __init__(self, name: str, function: Callable[..., Any] | None, statistics: bool) -> None:
        self.name = name
        self._function = function
        self._statistics = statistics
        self.audited = AuditedSamples()

    @property
    def metric(self) -> tuple[str, Callable[..., Any]] | None:
        """What ``evaluate`` gets as ``metric``."""
        return None if self._function is None else (self.name, self._function)

    def evaluation(self, results: Sequence[Mapping[str, Any]], holdout: frozenset[str]) -> Evaluation:
        """Evidence from the two answers of ``evaluate``, candidate first.

        Raises:
            DataError: the metric of the condition is missing or no number.
        """
        candidate, champion = (self._scores(result) for result in results)
        judged = frozenset(row.sample for row in candidate.per_sample) - holdout
        return Evaluation(
            candidate=candidate, champion=champion, judged=judged, holdout=holdout if self._statistics else frozenset()
        )

    def _scores(self, result: Mapping[str, Any]) -> ModelScores:
        plain = {str(key): _plain(value) for key, value in result.items() if key != "per_sample"}
        if self.name and not isinstance(plain.get(self.name), int | float | list):
            raise DataError(
                f"evaluate answered {shown(dict(result))} without a number for {self.name!r}",
                hint="the metric of testenv.model_eval, by name",
            )
        # Without a gate upstream's comparison decides alone; with per-sample rows production's statistics would.
        if self._statistics and result.get("per_sample"):
            plain["per_sample"] = [_plain(row) for row in result["per_sample"]]
        return ModelScores.from_report(plain)

    def audit(self, truth: Sequence[Any], answers: Mapping[Any, Any], model: int) -> None:
        """Answers of the model in service to randomly picked samples; those of an earlier model count no more."""
        # Answers of a model that is no longer in service say nothing about the one that is.
        if model != self.audited.model:
            self.audited = AuditedSamples(model)
        self.audited.truth += truth
        self.audited.answers.update(answers)

    def audit_metrics(self, model: int) -> AuditMetrics | None:
        """The condition's metric over the audited samples, under each name that a trigger may ask for."""
        seen = self.audited
        if self._function is None or model != seen.model or not seen.truth:
            return None
        value = _plain(call_metric(self._function, self.name, np.array(seen.truth), seen.answers))
        figure = float(value) if isinstance(value, int | float) else None
        return AuditMetrics(samples=len(seen.truth), precision=figure, recall=figure, f1=figure)


def _plain(value: Any) -> Any:
    """Numbers of numpy and torch as Python's, so that a report can be stored."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value
