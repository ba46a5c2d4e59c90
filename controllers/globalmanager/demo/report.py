"""One self-contained HTML page about a demo run: no link leads out of it, no script runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from globalmanager.demo import charts
from globalmanager.demo.figures import DemoFigures
from sedna.common.atomic import write_atomic
from sedna.common.types import Box


@dataclass(frozen=True)
class ExampleBoard:
    """A hold-out board with what is on it and what two models found."""

    path: Path
    group: str
    truth: tuple[Box, ...]
    before: tuple[Box, ...]
    after: tuple[Box, ...]


@dataclass(frozen=True)
class Evidence:
    """What the report shows beside the figures."""

    class_names: tuple[str, ...]
    class_f1_before: tuple[float, ...]
    class_f1_after: tuple[float, ...]
    uploads: tuple[tuple[float, int], ...]
    boards: tuple[ExampleBoard, ...]


def _pictures(figures: DemoFigures, evidence: Evidence) -> dict[str, str]:
    counts = {
        "streamed": figures.frames,
        "kept as hard": figures.samples_hard,
        "kept for audit": figures.samples_audit,
        "stored": figures.samples_stored,
    }
    return {
        "f1": charts.f1_over_rounds(figures.f1_before, figures.rounds),
        "classes": charts.class_f1_bars(evidence.class_names, evidence.class_f1_before, evidence.class_f1_after),
        "samples": charts.sample_bars(counts),
        "uploads": charts.upload_line(evidence.uploads),
        "stages": charts.stage_bars(figures.stage_seconds),
    }


def _board_rows(boards: Sequence[ExampleBoard], names: Sequence[str]) -> list[dict[str, str]]:
    return [
        {
            "title": f"{entry.path.name} (group {entry.group})",
            "truth": charts.board(entry.path, entry.truth, names),
            "before": charts.board(entry.path, entry.before, names),
            "after": charts.board(entry.path, entry.after, names),
        }
        for entry in boards
    ]


def write_report(path: Path, figures: DemoFigures, evidence: Evidence) -> None:
    """Write the page.

    Raises:
        StorageFullError: there is no space for it.
    """
    loader = PackageLoader("globalmanager.demo", "templates")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template("report.html").render(
        figures=figures,
        pictures=_pictures(figures, evidence),
        boards=_board_rows(evidence.boards, evidence.class_names),
    )
    write_atomic(path, page.encode())
