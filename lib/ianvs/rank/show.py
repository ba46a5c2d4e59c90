"""Showing results: the rank as a table, and accuracy matrices as pictures (``selected_and_all_and_picture``)."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from ianvs.cases.records import FinishedCase
from sedna.common.class_factory import MissingPackageError
from sedna.common.extras import install_command

METRIC = "MATRIX"


def print_table(path: Path, out: TextIO | None = None) -> None:
    """Print a csv file as a table, centred, never folded: it may be read by a program."""
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    stream = out if out is not None else sys.stdout
    lines = [
        "|" + "|".join(f" {text.center(width)} " for text, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    for line in (rule, lines[0], rule, *lines[1:], rule):
        stream.write(f"{line}\n")


def draw_heatmaps(finished: Sequence[FinishedCase]) -> list[Path]:
    """``<test case>/output/<title>-heatmap.png`` for every matrix that a test case has; nothing is opened.

    Raises:
        MissingPackageError: matplotlib is not installed.
    """
    drawn = []
    for entry in finished:
        matrices = entry.result.metrics.get(METRIC)
        for title, matrix in (matrices if isinstance(matrices, dict) else {}).items():
            path = Path(entry.case.output_dir) / "output" / f"{title}-heatmap.png"
            _draw(path, title, matrix)
            drawn.append(path)
    return drawn


def _draw(path: Path, title: str, matrix: Sequence[Sequence[float]]) -> None:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "pictures need the package 'matplotlib', which is not installed",
            where="rank.save_mode",
            hint=f"{install_command('control')}, or save_mode: selected_and_all",
        ) from error
    # Without pyplot, which keeps every figure and looks for a display.
    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot()
    shown = axes.imshow(matrix, cmap="bwr", vmin=0.0, vmax=1.0)
    axes.set(title=title, xlabel="task", ylabel="tasks learnt", xticks=range(len(matrix[0])), yticks=range(len(matrix)))
    figure.colorbar(shown)
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure)  # becomes the figure's canvas
    figure.savefig(path, format="png")
