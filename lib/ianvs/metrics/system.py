"""Metrics that need no function of the user. Those of accuracy, transfer and samples are upstream's, others ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ianvs.cases.measurements import Measurements
from ianvs.grammar.algorithm import INCREMENTAL, LIFELONG, SINGLE_TASK, SUPPORTED_PARADIGMS
from ianvs.grammar.testenv import TestEnv
from ianvs.metrics import transfer
from sedna.common.errors import DataError, SpecError

UPSTREAM_TRANSFER = "samples_transfer_ratio"


@dataclass(frozen=True)
class SystemMetric:
    """``value`` reads it from the measurements; ``paradigms`` can provide it."""

    value: Callable[[Measurements], Any]
    paradigms: tuple[str, ...] = SUPPORTED_PARADIGMS


def samples_transfer_ratio(measurements: Measurements) -> float:
    """Hard examples over (inferences + 1), the final test included, rounded to 4 digits."""
    inferences = sum(len(answers) for answers, _ in measurements.transfers)
    hard = sum(len(examples) for _, examples in measurements.transfers)
    return round(hard / (inferences + 1), 4)


def _known(value: float | None, what: str, hint: str) -> float:
    if value is None:
        raise DataError(f"{what} is not known", hint=hint)
    return value


def energy_joules(measurements: Measurements) -> float:
    """Energy of the machine's processors, or estimated from busy seconds and ``testenv.energy.core_watts``."""
    hint = "a machine with readable energy counters, or testenv.energy.core_watts"
    return _known(measurements.energy_joules, "energy", hint)


def inference_latency(measurements: Measurements) -> float:
    """Mean seconds of an inference."""
    return _known(measurements.latency_mean, "latency", "at least one inference")


def inference_latency_p95(measurements: Measurements) -> float:
    """Seconds within which 95 of 100 inferences ended."""
    return _known(measurements.latency_p95, "latency", "at least one inference")


_IL = (INCREMENTAL,)
_LL = (LIFELONG,)
_ANSWERING = (SINGLE_TASK, INCREMENTAL)

SYSTEM_METRICS: dict[str, SystemMetric] = {
    UPSTREAM_TRANSFER: SystemMetric(samples_transfer_ratio, _IL),
    "MATRIX": SystemMetric(lambda measurements: {"all": [list(row) for row in measurements.matrix]}, _LL),
    "BWT": SystemMetric(lambda measurements: transfer.backward(measurements.matrix), _LL),
    "FWT": SystemMetric(lambda measurements: transfer.forward(measurements.matrix), _LL),
    "task_avg_acc": SystemMetric(lambda measurements: transfer.average(measurements.matrix), _LL),
    "forget_rate": SystemMetric(lambda measurements: transfer.forgetting(measurements.matrix), _LL),
    "uplink_bytes": SystemMetric(lambda measurements: measurements.uplink_bytes, _IL),
    "downlink_bytes": SystemMetric(lambda measurements: measurements.downlink_bytes, _IL),
    "inference_latency_seconds": SystemMetric(inference_latency, _ANSWERING),
    "inference_latency_p95_seconds": SystemMetric(inference_latency_p95, _ANSWERING),
    "train_seconds": SystemMetric(lambda measurements: measurements.train_seconds),
    "peak_memory_bytes": SystemMetric(lambda measurements: measurements.peak_memory_bytes),
    "energy_joules": SystemMetric(energy_joules),
}
"""Bytes are those of samples (uplink) and models (downlink, once for each edge); seconds are wall-clock."""


def metric_problems(testenv: TestEnv, paradigm: str | None) -> Iterator[SpecError]:
    """Every metric that cannot be computed: no function and no such system metric, or the paradigm lacks what it reads.

    Args:
        paradigm: None: not known; then only what no paradigm can compute.

    Asked before anything heavy is imported, and before hours are spent.
    """
    provided = ", ".join(name for name, known in SYSTEM_METRICS.items() if not paradigm or paradigm in known.paradigms)
    where = "testenv.metrics"
    for metric in testenv.metrics:
        known = SYSTEM_METRICS.get(metric.name)
        if metric.url and paradigm == LIFELONG:  # its answers are an accuracy matrix, no list a function could take
            yield SpecError(f"{metric.name!r} has a url", where=where, hint=f"{paradigm} knows: {provided}")
        elif not metric.url and known is None:
            yield SpecError(
                f"{metric.name!r} has no url and is no system metric", where=where, hint=f"one of: {provided}"
            )
        elif not metric.url and known is not None and paradigm and paradigm not in known.paradigms:
            yield SpecError(f"{metric.name!r} is not known to {paradigm}", where=where, hint=f"one of: {provided}")
