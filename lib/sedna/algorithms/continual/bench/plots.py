"""The two published figures redrawn, ours beside theirs: average accuracy after each task, and time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sedna.algorithms.continual.bench.published import AVERAGE_ACCURACY, SECONDS_PER_TASK
from sedna.algorithms.continual.bench.report import BenchReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class _Style:
    color: str
    line: str
    width: float


def draw(report: BenchReport, folder: Path) -> list[Path]:
    """Write ``accuracy.svg`` and ``time.svg``; published curves are marked as another protocol.

    Bands are 95 % intervals over the seeds. A method has the same colour everywhere, those that only one side has are
    dashed.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    styles = _styles(report.methods)
    accuracy = Figure(figsize=(13, 6), layout="constrained")
    ours, theirs = accuracy.subplots(1, 2, sharey=True)
    for name, entry in report.methods.items():
        _curve(ours, name, entry.average_accuracy, entry.intervals, styles[name])
    for name, published in AVERAGE_ACCURACY.items():
        _curve(theirs, name, published, None, styles[name])
    ours.set_title(f"measured, {report.protocol}")
    ours.set_ylabel("average accuracy, percent")
    theirs.set_title("published (another protocol: ResNet18, 1,000 iterations)")
    for axes in (ours, theirs):
        axes.set_xlabel("tasks learnt")
        axes.set_xticks(range(0, max(len(line.get_xdata()) for line in axes.lines) + 1, 2))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.1))
    times = Figure(figsize=(13, 5), layout="constrained")
    ours, theirs = times.subplots(1, 2)
    measured = {name: entry.cpu_seconds_per_iteration * 1000 for name, entry in report.methods.items()}
    _bars(ours, measured, styles)
    ours.set_xlabel("processor milliseconds an iteration")
    ours.set_title(f"measured, {report.protocol}, {report.threads} thread(s)")
    _bars(theirs, {name: sum(seconds) / len(seconds) for name, seconds in SECONDS_PER_TASK.items()}, styles)
    theirs.set_xlabel("milliseconds an iteration (mean of three tasks)")
    theirs.set_title("published (another protocol and machine)")
    paths = [folder / "accuracy.svg", folder / "time.svg"]
    for figure, path in zip((accuracy, times), paths, strict=True):
        figure.savefig(path)
    return paths


def _styles(measured: Iterable[str]) -> dict[str, _Style]:
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    both = [name for name in AVERAGE_ACCURACY if name in measured]
    others = [name for name in (*measured, *AVERAGE_ACCURACY) if name not in both]
    names = list(dict.fromkeys([*both, *others, *SECONDS_PER_TASK]))
    palette = colormaps["tab20"]
    return {
        name: _Style(
            color=to_hex(palette(index % palette.N)),
            line="-" if name in both else "--",
            width=2.2 if name.startswith("EdgeHML") else 1.1,
        )
        for index, name in enumerate(names)
    }


def _curve(axes: Axes, name: str, values: Iterable[float], intervals: Iterable[float] | None, style: _Style) -> None:
    heights = list(values)
    tasks = range(1, len(heights) + 1)
    axes.plot(tasks, heights, marker=".", label=name, color=style.color, linestyle=style.line, linewidth=style.width)
    if intervals is not None:
        widths = list(intervals)
        low = [height - width for height, width in zip(heights, widths, strict=True)]
        high = [height + width for height, width in zip(heights, widths, strict=True)]
        axes.fill_between(tasks, low, high, color=style.color, alpha=0.08, linewidth=0)


def _bars(axes: Axes, milliseconds: dict[str, float], styles: dict[str, _Style]) -> None:
    ordered = sorted(milliseconds, key=lambda name: -milliseconds[name])
    axes.barh(ordered, [milliseconds[name] for name in ordered], color=[styles[name].color for name in ordered])
    axes.grid(axis="x", alpha=0.3)
