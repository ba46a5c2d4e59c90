"""The result file of the benchmark: one entry a method, with every run behind it."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev

import torch
from pydantic import BaseModel, ConfigDict

from sedna.algorithms.continual import metrics
from sedna.algorithms.continual.training.result import RunResult

_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Quantile 0.975 of Student's t for 1, 2, ... degrees of freedom; the last one is kept for more."""


class MethodReport(BaseModel):
    """Means over the seeds of one method. Accuracies in percent, sizes in bytes.

    ``intervals`` are half widths of the 95 % intervals (Student's t) of ``average_accuracy``, ``interval`` is the last
    one; None for one seed.
    ``class_il_average_accuracy`` is None for methods whose prediction uses the number of the task.
    ``memory_bytes`` is everything kept of the past: records in memory and on disk, copies or importance of weights.
    """

    model_config = ConfigDict(frozen=True)

    average_accuracy: list[float]
    forgetting: float
    seconds_per_iteration: float
    memory_bytes: int
    interval: float | None
    intervals: list[float] | None
    mean_average_accuracy: float
    plasticity: float
    stability: float
    backward_transfer: float
    class_il_average_accuracy: float | None
    cpu_seconds_per_iteration: float
    view_seconds_per_iteration: float
    memory_detail: dict[str, int]
    precision: str
    seeds: list[int]
    runs: list[RunResult]


class BenchReport(BaseModel):
    """The file that ``sedna bench continual --json`` writes."""

    model_config = ConfigDict(frozen=True)

    protocol: str
    command: str
    date: str
    machine: str
    threads: int
    torch: str
    methods: dict[str, MethodReport]


def summarise(runs: Sequence[RunResult]) -> MethodReport:
    """One method's runs, one a seed."""
    after_each_task = list(zip(*(run.average_accuracy for run in runs), strict=True))
    intervals = [width for values in after_each_task if (width := half_width(values)) is not None]
    return MethodReport(
        average_accuracy=[round(fmean(values), 4) for values in after_each_task],
        forgetting=fmean(run.forgetting for run in runs),
        seconds_per_iteration=fmean(run.seconds_per_iteration for run in runs),
        memory_bytes=round(fmean(run.total_memory_bytes for run in runs)),
        interval=intervals[-1] if intervals else None,
        intervals=[round(width, 4) for width in intervals] or None,
        mean_average_accuracy=fmean(metrics.mean_average_accuracy(run.accuracy) for run in runs),
        plasticity=fmean(metrics.plasticity(run.accuracy) for run in runs),
        stability=fmean(metrics.stability(run.accuracy) for run in runs),
        backward_transfer=fmean(metrics.backward_transfer(run.accuracy) for run in runs),
        class_il_average_accuracy=_class_il(runs),
        cpu_seconds_per_iteration=fmean(run.cpu_seconds_per_iteration for run in runs),
        view_seconds_per_iteration=fmean(run.view_seconds_per_iteration for run in runs),
        memory_detail={
            "memory": round(fmean(run.memory_bytes for run in runs)),
            "disk": round(fmean(run.disk_bytes for run in runs)),
            "parameters": round(fmean(run.parameter_bytes for run in runs)),
        },
        precision=runs[0].precision,
        seeds=[run.seed for run in runs],
        runs=list(runs),
    )


def _class_il(runs: Sequence[RunResult]) -> float | None:
    if not all(run.class_il_accuracy for run in runs):
        return None
    return fmean(metrics.average_accuracy(run.class_il_accuracy)[-1] for run in runs)


def half_width(values: Sequence[float]) -> float | None:
    """Half width of the 95 % interval of a mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    # Two seeds have one degree of freedom, the first entry.
    quantile = _T95[min(len(values) - 2, len(_T95) - 1)]
    return quantile * stdev(values) / math.sqrt(len(values))


def make_report(protocol: str, command: str, threads: int, methods: dict[str, MethodReport]) -> BenchReport:
    """The report of this machine, now."""
    return BenchReport(
        protocol=protocol,
        command=command,
        date=datetime.now(UTC).date().isoformat(),
        machine=describe_machine(),
        threads=threads,
        torch=torch.__version__,
        methods=methods,
    )


def describe_machine() -> str:
    """Processor, cores and system in one line."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def markdown_table(report: BenchReport) -> str:
    """A table for people: methods in order of their last average accuracy."""
    lines = [
        f"{report.protocol}, {report.machine}, {report.threads} thread(s), torch {report.torch}, {report.date}",
        "",
        "| method | average accuracy | mean over tasks | forgetting | plasticity | ms / iteration | CPU ms | memory |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, entry in sorted(report.methods.items(), key=lambda item: -item[1].average_accuracy[-1]):
        spread = f" ± {entry.interval:.1f}" if entry.interval is not None else ""
        lines.append(
            f"| {name} | {entry.average_accuracy[-1]:.1f}{spread} | {entry.mean_average_accuracy:.1f} "
            f"| {entry.forgetting:.1f} | {entry.plasticity:.1f} | {entry.seconds_per_iteration * 1000:.1f} "
            f"| {entry.cpu_seconds_per_iteration * 1000:.1f} | {entry.memory_bytes / 1e6:.2f} MB |"
        )
    return "\n".join(lines) + "\n"
