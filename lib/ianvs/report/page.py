"""The page: leaderboard, metrics over rounds, accuracy against transfer, hyper-parameters, costs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from ianvs.cases.records import FinishedCase
from ianvs.grammar import Benchmark, TestEnv
from ianvs.metrics.system import SYSTEM_METRICS, UPSTREAM_TRANSFER
from ianvs.rank import RankFiles
from ianvs.rank.rows import as_number
from ianvs.report.svg import Series, chart, parallel
from sedna.common.atomic import write_atomic

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1280px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:13px}
th,td{border-bottom:1px solid #ddd;padding:.3em .7em;text-align:left;white-space:nowrap}
.ranks tr:nth-child(2) td{font-weight:600}.why{white-space:normal;min-width:22em;overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1.5em}
svg{width:100%;font-size:12px}svg .grid{stroke:#e4e4e4}svg .axis{stroke:#888}svg .mid{text-anchor:middle}
svg .end{text-anchor:end}svg .halo{paint-order:stroke;stroke:#fff;stroke-width:4px}
.legend{list-style:none;padding:0;font-size:12px}
.legend i{display:inline-block;width:10px;height:10px;margin-right:6px}.failed{color:#a3222f}h2{margin-top:2em}
""".strip()
_LONG, _LONG_FROM = ' class="why"', 60
"""Cells with more characters are folded."""


def write_report(path: Path, benchmark: Benchmark, finished: Sequence[FinishedCase]) -> None:
    """Write the page of a benchmark; it needs no other file."""
    done = [entry for entry in finished if entry.result.status == "done"]
    files = RankFiles.of(benchmark.workspace)
    rows = list(csv.reader(files.selected.read_text(encoding="utf-8").splitlines())) if files.selected.exists() else []
    name = benchmark.job.name or "benchmark"
    labels = _labels(finished)
    parts = [
        f"<h1>{escape(name)}</h1>",
        _about(benchmark, finished),
        "<h2>Leaderboard</h2>",
        _table(rows, "ranks"),
        '<h2>Charts</h2><div class="charts">',
        *_charts(benchmark, done, labels),
        "</div><h2>Rounds</h2>",
        _table(_rounds(done, labels)),
        "<h2>Cost</h2>",
        _table(_costs(done, labels)),
        *_notes(done, labels),
        *_failures(finished, labels),
    ]
    head = f'<meta charset="utf-8"><title>{escape(name)}</title><style>{_STYLE}</style>'
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'
    write_atomic(path, page.encode())


def _about(benchmark: Benchmark, finished: Sequence[FinishedCase]) -> str:
    if not finished:
        return ""
    case = finished[0].case
    versions = ", ".join(f"{name} {version}" for name, version in case.versions.items())
    seeds = ", ".join(map(str, benchmark.job.seeds or (0,)))
    lines = (
        f"{escape(benchmark.file)} &middot; {case.started_at:%Y-%m-%d %H:%M} UTC &middot; {escape(case.machine)}",
        f"{escape(versions)} &middot; seeds {seeds}",
    )
    return f"<p>{'<br>'.join(lines)}</p>"


def _table(rows: Sequence[Sequence[str]], kind: str = "") -> str:
    if len(rows) < 2:
        return "<p>Nothing to show.</p>"
    lines = []
    for index, row in enumerate(rows):
        tag = "td" if index else "th"
        cells = (f"<{tag}{_LONG if len(text) > _LONG_FROM else ''}>{escape(text)}</{tag}>" for text in row)
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return f'<table class="{kind}">{"".join(lines)}</table>'


CaseLabels = Mapping[str, str]
"""Short names of test cases by their folder."""


def _labels(finished: Sequence[FinishedCase]) -> CaseLabels:
    """Algorithm and seed, with the hyper-parameters in which test cases differ; the leaderboard has the others."""
    varied = {name for name, texts in _values(finished).items() if len(set(texts)) > 1}
    labels = {}
    for entry in finished:
        values = [
            f"{key}={value}"
            for module in entry.case.modules
            for key, value in module.hyperparameters.items()
            if f"{module.type}-{key}" in varied
        ]
        seed = [f"seed {entry.case.seed}"] if entry.case.group != entry.case.output_dir else []
        labels[entry.case.output_dir] = " ".join([entry.case.algorithm, *values, *seed])
    return labels


def _values(entries: Sequence[FinishedCase]) -> dict[str, list[str]]:
    """``<module type>-<hyper-parameter>`` -> its text in every test case, empty where it has none."""
    found = [
        {f"{module.type}-{key}": text for module in entry.case.modules for key, text in module.hyperparameters.items()}
        for entry in entries
    ]
    return {
        name: [values.get(name, "") for values in found] for name in dict.fromkeys(key for one in found for key in one)
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _charts(benchmark: Benchmark, done: Sequence[FinishedCase], labels: CaseLabels) -> Iterable[str]:
    judged = _judged(benchmark.testenv)
    yield _figure(f"{judged} over rounds", chart(_over_rounds(done, judged, labels), "round", judged, lines=True))
    metrics = [metric.name for metric in benchmark.testenv.metrics if metric.name not in SYSTEM_METRICS]
    for metric in metrics[:4]:  # more charts than that nobody compares
        clouds = [_against_transfer(entry, metric, labels) for entry in done]
        yield _figure(f"{metric} against transfer ratio", chart(clouds, "transfer ratio", metric, lines=False))
    yield _figure("Hyper-parameters", _hyperparameters(done, metrics, labels))


def _figure(title: str, svg: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" if svg else ""


def _judged(testenv: TestEnv) -> str:
    """The metric by which candidates are judged."""
    if testenv.model_eval.model_metric.name:
        return testenv.model_eval.model_metric.name
    gate = testenv.loop_gate()
    return "accuracy" if gate is None else gate.metric


def in_one_number(metrics: Mapping[str, float | tuple[float, ...]], name: str) -> float | None:
    """A metric as one number: of a list by class, what the basemodel calls its micro average, or the mean."""
    value = metrics.get(name)
    if isinstance(value, tuple):
        micro = _number(metrics.get(f"{name}_micro"))
        return micro if micro is not None or not value else math.fsum(value) / len(value)
    return _number(value)


def _over_rounds(done: Sequence[FinishedCase], metric: str, labels: CaseLabels) -> list[Series]:
    """The model in service after each round: the candidate's figure where it was deployed."""
    series = []
    for entry in done:
        points = []
        for record in entry.result.rounds:
            # The figures of a round are of its own evaluation samples: the deployed candidate's if there is one.
            metrics = record.candidate_metrics if record.outcome == "Deployed" else record.serving_metrics
            value = in_one_number(metrics, metric)
            if value is not None and record.piece.isdigit():
                points.append((float(record.piece), value))
        series.append(Series(labels[entry.case.output_dir], tuple(points)))
    return series


def _against_transfer(entry: FinishedCase, metric: str, labels: CaseLabels) -> Series:
    ratio = _number(entry.result.metrics.get(UPSTREAM_TRANSFER))
    if ratio is None:
        inferences = sum(record.inferences for record in entry.result.rounds)
        ratio = sum(record.hard for record in entry.result.rounds) / (inferences + 1) if inferences else None
    value = _number(entry.result.metrics.get(metric))
    points = ((ratio, value),) if ratio is not None and value is not None else ()
    return Series(labels[entry.case.output_dir], points)


def _hyperparameters(done: Sequence[FinishedCase], metrics: Sequence[str], labels: CaseLabels) -> str:
    """An axis for each hyper-parameter that has several values, and one for the first metric."""
    axes: list[tuple[str, list[object]]] = []
    for name, texts in _values(done).items():
        if len(set(texts)) > 1:
            numbers = [as_number(text) for text in texts]
            axes.append((name.partition("-")[2], list(texts) if None in numbers else list(numbers)))
    for metric in metrics[:1]:
        values = [_number(entry.result.metrics.get(metric)) for entry in done]
        if None not in values:
            axes.append((metric, list(values)))
    return parallel(axes, [labels[entry.case.output_dir] for entry in done])


def _rounds(done: Sequence[FinishedCase], labels: CaseLabels) -> list[list[str]]:
    header = ["test case", "piece", "inferences", "hard", "trained on", "replayed", "outcome", "why"]
    rows = [header]
    for entry in done:
        for record in entry.result.rounds:
            counts = (record.inferences, record.hard, record.trained_on, record.replayed)
            rows.append(
                [labels[entry.case.output_dir], record.piece, *map(str, counts), record.outcome or "-", record.reason]
            )
    return rows


def _costs(done: Sequence[FinishedCase], labels: CaseLabels) -> list[list[str]]:
    header = ["test case", "seconds", "in the algorithm", "busy", "memory MiB", "up MB", "down MB", "joules", "energy"]
    rows = [header]
    for entry in done:
        cost = entry.result.cost
        joules = "-" if cost.energy_joules is None else f"{cost.energy_joules:.0f}"
        figures = (cost.seconds, cost.algorithm_seconds, cost.cpu_seconds, cost.peak_memory_bytes / 2**20)
        moved = (cost.uplink_bytes / 1e6, cost.downlink_bytes / 1e6)
        rows.append(
            [
                labels[entry.case.output_dir],
                *(f"{value:.1f}" for value in figures),
                *(f"{value:.2f}" for value in moved),
                joules,
                cost.energy_source,
            ]
        )
    return rows


def _notes(done: Sequence[FinishedCase], labels: CaseLabels) -> Iterable[str]:
    notes = [(labels[entry.case.output_dir], note) for entry in done for note in entry.result.notes]
    if notes:
        yield "<h2>Notes</h2><ul>"
        yield from (f"<li>{escape(label)}: {escape(note)}</li>" for label, note in notes)
        yield "</ul>"


def _failures(finished: Sequence[FinishedCase], labels: CaseLabels) -> Iterable[str]:
    failed = [entry for entry in finished if entry.result.failure is not None]
    if failed:
        yield '<h2 class="failed">Failed</h2><ul>'
        for entry in failed:
            failure = entry.result.failure
            assert failure is not None
            label = labels[entry.case.output_dir]
            yield f"<li>{escape(label)}: {escape(failure.kind)}: {escape(failure.summary)}</li>"
        yield "</ul>"
