"""All metrics of a test environment, in its order."""

from __future__ import annotations

from typing import Any

from ianvs.facts import Facts
from ianvs.grammar.testenv import MetricConfig, TestEnv
from ianvs.metrics.system import NOT_HERE, SYSTEM_METRICS, UPSTREAM_TRANSFER
from ianvs.paradigms import Case, Outcome
from ianvs.usercode.parts import call_metric, load_metric
from sedna.common.errors import SpecError


def check_metrics(testenv: TestEnv, paradigm: str) -> None:
    """Every metric must be computable before hours are spent.

    Raises:
        SpecError: no function and no such system metric, or the paradigm does not provide it.
    """
    for number, metric in enumerate(testenv.metrics):
        where = f"testenv.metrics[{number}]"
        if metric.url:
            continue
        known = SYSTEM_METRICS.get(metric.name)
        if metric.name in NOT_HERE:
            raise SpecError(f"{metric.name!r} belongs to a paradigm that is not supported", where=where)
        if known is None:
            names = ", ".join(SYSTEM_METRICS)
            raise SpecError(f"{metric.name!r} has no url and is no system metric", where=where, hint=f"one of: {names}")
        if paradigm not in known.paradigms:
            raise SpecError(f"{metric.name!r} is not known to {paradigm}", where=where)


def compute_metrics(case: Case, outcome: Outcome) -> dict[str, Any]:
    """Metric name -> value, as the functions returned it.

    Raises:
        DataError: a metric raised.
    """
    data = case.dataset.load_data(case.dataset.test_url, "eval overall", label=case.dataset.label)
    return {metric.name: _compute(case, metric, data.y, outcome) for metric in case.testenv.metrics}


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
