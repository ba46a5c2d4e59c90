"""The two published figures redrawn, ours beside theirs: average accuracy after each task, and time."""

from __future__ import annotations

from pathlib import Path

from sedna.algorithms.continual.bench.published import AVERAGE_ACCURACY, SECONDS_PER_TASK
from sedna.algorithms.continual.bench.report import BenchReport


def draw(report: BenchReport, folder: Path) -> list[Path]:
    """Write ``accuracy.svg`` and ``time.svg``; published curves are marked as another protocol."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    accuracy = Figure(figsize=(11, 4.5), layout="constrained")
    ours, theirs = accuracy.subplots(1, 2)
    for name, entry in report.methods.items():
        curve = entry.average_accuracy
        ours.plot(range(1, len(curve) + 1), curve, marker=".", linewidth=1, label=name)
    for name, published in AVERAGE_ACCURACY.items():
        theirs.plot(range(1, len(published) + 1), published, marker=".", linewidth=1, label=name)
    ours.set_title(f"measured, {report.protocol}")
    theirs.set_title("published (another protocol: ResNet18, 1,000 iterations)")
    for axes in (ours, theirs):
        axes.set_xlabel("tasks learnt")
        axes.set_ylabel("average accuracy, percent")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    times = Figure(figsize=(11, 4.5), layout="constrained")
    ours, theirs = times.subplots(1, 2)
    ours.barh(list(report.methods), [entry.cpu_seconds_per_iteration * 1000 for entry in report.methods.values()])
    ours.set_xlabel("processor milliseconds an iteration")
    ours.set_title(f"measured, {report.protocol}, {report.threads} thread(s)")
    theirs.barh(list(SECONDS_PER_TASK), [sum(seconds) / 3 for seconds in SECONDS_PER_TASK.values()])
    theirs.set_xlabel("milliseconds an iteration (mean of three tasks)")
    theirs.set_title("published (another protocol and machine)")
    paths = [folder / "accuracy.svg", folder / "time.svg"]
    for figure, path in zip((accuracy, times), paths, strict=True):
        figure.savefig(path)
    return paths
