"""Results as rows of text, in upstream's columns.

    algorithm | metrics | paradigm | module types | <module type>-<hyper-parameter> | time | url

With several seeds a metric is the mean, ``<metric>_ci95`` half the width of its 95 % interval (Student's t), and
``seeds`` lists the seeds that have a result.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from ianvs.cases.records import FinishedCase

Row = dict[str, str]

FIRST, BEFORE_MODULES, TIME, URL = "algorithm", "paradigm", "time", "url"

# Two-sided 95 % quantiles of Student's t for 1, 2, 3... degrees of freedom; from 30 on the normal one is close enough.
_T95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045,
)  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Names of the columns, by group, in order."""

    metrics: tuple[str, ...]
    modules: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """The whole header, without the rank itself."""
        return (FIRST, *self.metrics, BEFORE_MODULES, *self.modules, TIME, URL)

    def with_older(self, header: Sequence[str]) -> Columns:
        """These columns, then those that only an older file has, in the groups that its header shows."""
        if FIRST not in header or BEFORE_MODULES not in header:
            return self
        border = header.index(BEFORE_MODULES)
        metrics = header[header.index(FIRST) + 1 : border]
        modules = [name for name in header[border + 1 :] if name not in (TIME, URL)]
        return Columns(_union(self.metrics, metrics), _union(self.modules, modules))


def _union(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))


def cell(value: object) -> str:
    """A value as text: nothing for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(value)


def as_number(text: str) -> float | None:
    """The number that a cell shows, if it shows one."""
    try:
        return float(text)
    except ValueError:
        return None


def rows_of(finished: Sequence[FinishedCase], metrics: Sequence[str]) -> tuple[Columns, list[Row]]:
    """One row a test case; its seeds, if it has several, are summed up.

    Args:
        metrics: names in the order of the test environment.
    """
    done = [entry for entry in finished if entry.result.status == "done"]
    seeded = any(entry.case.group != entry.case.output_dir for entry in done)
    names = [name for metric in metrics for name in ((metric, f"{metric}_ci95") if seeded else (metric,))]
    columns = Columns(
        metrics=(*names, "seeds") if seeded else tuple(names),
        modules=_union(
            (module.type for entry in done for module in entry.case.modules),
            (f"{m.type}-{name}" for entry in done for m in entry.case.modules for name in m.hyperparameters),
        ),
    )
    groups = [list(group) for _, group in groupby(done, key=lambda entry: entry.case.group)]
    return columns, [_row(group, metrics, seeded) for group in groups]


def _row(group: Sequence[FinishedCase], metrics: Sequence[str], seeded: bool) -> Row:
    first = group[0].case
    row: Row = {FIRST: first.algorithm, BEFORE_MODULES: first.paradigm}
    for metric in metrics:
        values = [entry.result.metrics.get(metric) for entry in group]
        mean, half = summary(values) if seeded else (values[0], None)
        row[metric] = cell(mean)
        if seeded:
            row[f"{metric}_ci95"] = cell(half)
    if seeded:
        row["seeds"] = " ".join(str(entry.case.seed) for entry in group)
    for module in first.modules:
        row[module.type] = module.name
        row.update({f"{module.type}-{name}": text for name, text in module.hyperparameters.items()})
    row[TIME], row[URL] = max(entry.result.time for entry in group), first.group
    return row


def summary(values: Sequence[object]) -> tuple[object, float | None]:
    """Mean and half the 95 % interval; the first value alone where not all are numbers. One value has no interval."""
    numbers = [float(value) for value in values if isinstance(value, int | float) and math.isfinite(value)]
    if len(numbers) != len(values) or not numbers:
        return values[0] if values else None, None
    mean = statistics.fmean(numbers)
    if len(numbers) == 1:
        return mean, None
    freedom = len(numbers) - 1
    quantile = _T95[freedom - 1] if freedom <= len(_T95) else 1.96
    return mean, quantile * statistics.stdev(numbers) / math.sqrt(len(numbers))


def sort_rows(rows: Sequence[Row], order: Sequence[tuple[str, bool]], known: Sequence[str]) -> list[Row]:
    """Rows in rank order. Metrics that no result has are skipped; equal rows keep their order; blanks come last.

    Args:
        order: (metric, ascending), the weightiest first.
    """
    result = list(rows)
    # From the lightest metric to the weightiest: each sort is stable, so that earlier ones decide ties.
    for metric, ascending in reversed([entry for entry in order if entry[0] in known]):
        # Apart, as a missing value is worse than any, in both directions.
        present = [row for row in result if row.get(metric, "") != ""]
        absent = [row for row in result if row.get(metric, "") == ""]
        if all(as_number(row[metric]) is not None for row in present):
            present.sort(key=lambda row: as_number(row[metric]) or 0.0, reverse=not ascending)
        else:
            present.sort(key=lambda row: row[metric], reverse=not ascending)
        result = present + absent
    return result


def without_repeats(rows: Sequence[Row], columns: Sequence[str]) -> list[Row]:
    """Rows that differ in ``columns``; the first of equal ones stays. 0.5 and 0.50 are the same number."""
    seen: set[tuple[object, ...]] = set()
    kept = []
    for row in rows:
        texts = [row.get(name, "") for name in columns]
        key = tuple(text if (value := as_number(text)) is None else value for text in texts)
        if key not in seen:
            seen.add(key)
            kept.append(row)
    return kept
