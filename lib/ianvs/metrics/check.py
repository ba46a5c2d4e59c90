"""Can every metric be computed? Asked before anything heavy is imported, and before hours are spent."""

from __future__ import annotations

from ianvs.grammar.testenv import TestEnv
from ianvs.metrics.system import SYSTEM_METRICS
from sedna.common.errors import SpecError


def check_metrics(testenv: TestEnv, paradigm: str) -> None:
    """Every metric must be computable.

    Raises:
        SpecError: no function and no such system metric, or the paradigm does not provide it.
    """
    for number, metric in enumerate(testenv.metrics):
        where = f"testenv.metrics[{number}]"
        if metric.url and paradigm == "lifelonglearning":
            names = ", ".join(name for name, known in SYSTEM_METRICS.items() if paradigm in known.paradigms)
            raise SpecError(f"{metric.name!r} has a url", where=where, hint=f"{paradigm} knows: {names}")
        if metric.url:
            continue
        known = SYSTEM_METRICS.get(metric.name)
        if known is None:
            names = ", ".join(SYSTEM_METRICS)
            raise SpecError(f"{metric.name!r} has no url and is no system metric", where=where, hint=f"one of: {names}")
        if paradigm not in known.paradigms:
            raise SpecError(f"{metric.name!r} is not known to {paradigm}", where=where)
