"""The page: leaderboard, metrics over rounds, accuracy against transfer, hyper-parameters, costs."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ianvs.grammar import Benchmark
from ianvs.metrics.system import SYSTEM_METRICS, UPSTREAM_TRANSFER
from ianvs.rank import RankFiles
from ianvs.rank.rows import number as number_of
from ianvs.report.svg import Series, chart, parallel
from ianvs.runner.records import Finished
from sedna.common.atomic import write_atomic

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;display:block;overflow-x:auto;font-size:13px}
th,td{border-bottom:1px solid #ddd;padding:.3em .7em;text-align:left;white-space:nowrap}
tr:nth-child(2) td{font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(440px,1fr));gap:1.5em}
svg{width:100%;font-size:12px}svg .grid{stroke:#e4e4e4}svg .axis{stroke:#888}svg .mid{text-anchor:middle}
svg .end{text-anchor:end}.legend{list-style:none;padding:0;font-size:12px}.legend i{display:inline-block;width:10px;
height:10px;margin-right:6px}.failed{color:#a3222f}h2{margin-top:2em}
""".strip()


def write_report(path: Path, benchmark: Benchmark, finished: Sequence[Finished]) -> None:
    """Write the page of a benchmark; it needs no other file."""
    done = [entry for entry in finished if entry.result.status == "done"]
    files = RankFiles.of(benchmark.workspace)
    rows = list(csv.reader(files.selected.read_text(encoding="utf-8").splitlines())) if files.selected.exists() else []
    name = benchmark.job.name or "benchmark"
    parts = [
        f"<h1>{escape(name)}</h1>",
        _about(benchmark, finished),
        "<h2>Leaderboard</h2>",
        _table(rows),
        '<h2>Charts</h2><div class="charts">',
        *_charts(benchmark, done),
        "</div><h2>Rounds</h2>",
        _table(_rounds(done)),
        "<h2>Cost</h2>",
        _table(_costs(done)),
        *_failures(finished),
    ]
    head = f'<meta charset="utf-8"><title>{escape(name)}</title><style>{_STYLE}</style>'
    page = f'<!doctype html><html lang="en"><head>{head}</head><body>{"".join(parts)}</body></html>'
    write_atomic(path, page.encode())


def _about(benchmark: Benchmark, finished: Sequence[Finished]) -> str:
    if not finished:
        return ""
    case = finished[0].case
    versions = ", ".join(f"{name} {version}" for name, version in case.versions.items())
    seeds = ", ".join(map(str, benchmark.job.seeds or (0,)))
    facts = (
        f"{escape(benchmark.file)} &middot; {case.started_at:%Y-%m-%d %H:%M} UTC &middot; {escape(case.machine)}",
        f"{escape(versions)} &middot; seeds {seeds}",
    )
    return f"<p>{'<br>'.join(facts)}</p>"


def _table(rows: Sequence[Sequence[str]]) -> str:
    if len(rows) < 2:
        return "<p>Nothing to show.</p>"
    lines = []
    for index, row in enumerate(rows):
        kind = "td" if index else "th"
        lines.append("<tr>" + "".join(f"<{kind}>{escape(text)}</{kind}>" for text in row) + "</tr>")
    return f"<table>{''.join(lines)}</table>"


def _label(entry: Finished) -> str:
    values = [f"{k}={v}" for module in entry.case.modules for k, v in module.hyperparameters.items()]
    seed = [f"seed {entry.case.seed}"] if entry.case.group != entry.case.output_dir else []
    return " ".join([entry.case.algorithm, *values, *seed])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _charts(benchmark: Benchmark, done: Sequence[Finished]) -> Iterable[str]:
    judged = benchmark.testenv.model_eval.model_metric.name or "accuracy"
    yield _figure(f"{judged} over rounds", chart(_over_rounds(done, judged), "round", judged, lines=True))
    metrics = [metric.name for metric in benchmark.testenv.metrics if metric.name not in SYSTEM_METRICS]
    for metric in metrics[:4]:
        clouds = [_against_transfer(entry, metric) for entry in done]
        yield _figure(f"{metric} against transfer ratio", chart(clouds, "transfer ratio", metric, lines=False))
    yield _figure("Hyper-parameters", _hyperparameters(done, metrics))


def _figure(title: str, svg: str) -> str:
    return f"<figure><figcaption>{escape(title)}</figcaption>{svg}</figure>" if svg else ""


def _over_rounds(done: Sequence[Finished], metric: str) -> list[Series]:
    """The model in service after each round: the candidate's figure where it was deployed."""
    series = []
    for entry in done:
        points = []
        for record in entry.result.rounds:
            metrics = record.candidate_metrics if record.outcome == "Deployed" else record.serving_metrics
            value = _number(metrics.get(metric))
            if value is not None and record.piece.isdigit():
                points.append((float(record.piece), value))
        series.append(Series(_label(entry), tuple(points)))
    return series


def _against_transfer(entry: Finished, metric: str) -> Series:
    ratio = _number(entry.result.metrics.get(UPSTREAM_TRANSFER))
    if ratio is None:
        inferences = sum(record.inferences for record in entry.result.rounds)
        ratio = sum(record.hard for record in entry.result.rounds) / (inferences + 1) if inferences else None
    value = _number(entry.result.metrics.get(metric))
    return Series(_label(entry), ((ratio, value),) if ratio is not None and value is not None else ())


def _hyperparameters(done: Sequence[Finished], metrics: Sequence[str]) -> str:
    names = list(dict.fromkeys(f"{m.type}-{k}" for e in done for m in e.case.modules for k in m.hyperparameters))
    axes: list[tuple[str, list[object]]] = []
    for name in names:
        kind, _, key = name.partition("-")
        texts = [_hyperparameter(entry, kind, key) for entry in done]
        numbers = [number_of(text) for text in texts]
        axes.append((key, list(texts) if None in numbers else list(numbers)))
    for metric in metrics[:1]:
        values = [_number(entry.result.metrics.get(metric)) for entry in done]
        if None not in values:
            axes.append((metric, list(values)))
    return parallel(axes, [_label(entry) for entry in done])


def _hyperparameter(entry: Finished, kind: str, key: str) -> str:
    found = [module.hyperparameters.get(key, "") for module in entry.case.modules if module.type == kind]
    return found[0] if found else ""


def _rounds(done: Sequence[Finished]) -> list[list[str]]:
    header = ["test case", "piece", "inferences", "hard", "trained on", "replayed", "outcome", "why"]
    rows = [header]
    for entry in done:
        for record in entry.result.rounds:
            counts = (record.inferences, record.hard, record.trained_on, record.replayed)
            rows.append([_label(entry), record.piece, *map(str, counts), record.outcome or "-", record.reason])
    return rows


def _costs(done: Sequence[Finished]) -> list[list[str]]:
    header = ["test case", "seconds", "in the algorithm", "busy", "memory MiB", "up MB", "down MB", "joules", "energy"]
    rows = [header]
    for entry in done:
        cost = entry.result.cost
        joules = "-" if cost.energy_joules is None else f"{cost.energy_joules:.0f}"
        figures = (cost.seconds, cost.algorithm_seconds, cost.cpu_seconds, cost.peak_memory_bytes / 2**20)
        moved = (cost.uplink_bytes / 1e6, cost.downlink_bytes / 1e6)
        rows.append(
            [_label(entry), *(f"{v:.1f}" for v in figures), *(f"{v:.2f}" for v in moved), joules, cost.energy_source]
        )
    return rows


def _failures(finished: Sequence[Finished]) -> Iterable[str]:
    failed = [entry for entry in finished if entry.result.failure is not None]
    if failed:
        yield '<h2 class="failed">Failed</h2><ul>'
        for entry in failed:
            failure = entry.result.failure
            assert failure is not None
            yield f"<li>{escape(_label(entry))}: {escape(failure.kind)}: {escape(failure.message)}</li>"
        yield "</ul>"
