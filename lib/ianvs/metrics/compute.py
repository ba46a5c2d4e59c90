"""All metrics of a test environment, in its order."""

from __future__ import annotations

from typing import Any

from ianvs.cases.measurements import Facts
from ianvs.grammar.testenv import MetricConfig
from ianvs.metrics.system import SYSTEM_METRICS, UPSTREAM_TRANSFER
from ianvs.paradigms import Case, Outcome
from ianvs.usercode.parts import call_metric, load_metric


def compute_metrics(case: Case, outcome: Outcome) -> dict[str, Any]:
    """Metric name -> value, as the functions returned it.

    Raises:
        DataError: a metric raised.
    """
    truth = None
    if any(metric.url for metric in case.testenv.metrics):
        truth = case.dataset.load_data(case.dataset.test_url, "eval overall", label=case.dataset.label).y
    return {metric.name: _compute(case, metric, truth, outcome) for metric in case.testenv.metrics}


def _compute(case: Case, metric: MetricConfig, truth: Any, outcome: Outcome) -> Any:
    if not metric.url:
        return SYSTEM_METRICS[metric.name].value(outcome.facts)
    with case.watch.algorithm():
        function = load_metric(case.code, metric)
        if metric.name == UPSTREAM_TRANSFER:  # by this name upstream hands over what was observed, not answers
            return function(_observed(outcome.facts))
        return call_metric(function, metric.name, truth, outcome.answers)


def _observed(facts: Facts) -> dict[str, Any]:
    return {UPSTREAM_TRANSFER: facts.transfers}
