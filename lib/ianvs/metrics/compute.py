"""All metrics of a test environment, in its order."""

from __future__ import annotations

from typing import Any

from ianvs.cases.measurements import Measurements
from ianvs.grammar.testenv import MetricConfig
from ianvs.metrics.system import SYSTEM_METRICS, UPSTREAM_TRANSFER
from ianvs.paradigms import Case, ParadigmResult
from ianvs.usercode.parts import call_metric, load_metric


def compute_metrics(case: Case, result: ParadigmResult) -> dict[str, Any]:
    """Metric name -> value, as the functions returned it.

    Raises:
        DataError: a metric raised.
    """
    truth = None
    if any(metric.url for metric in case.testenv.metrics):
        truth = case.dataset.load_data(case.dataset.test_url, "eval overall", label=case.dataset.label).y
    return {metric.name: _compute(case, metric, truth, result) for metric in case.testenv.metrics}


def _compute(case: Case, metric: MetricConfig, truth: Any, result: ParadigmResult) -> Any:
    if not metric.url:
        return SYSTEM_METRICS[metric.name].value(result.measurements)
    with case.watch.algorithm():
        function = load_metric(case.code, metric)
        # By this name upstream hands over what was observed, not answers.
        if metric.name == UPSTREAM_TRANSFER:
            return function(_observed(result.measurements))
        return call_metric(function, metric.name, truth, result.answers)


def _observed(measurements: Measurements) -> dict[str, Any]:
    return {UPSTREAM_TRANSFER: measurements.transfers}
