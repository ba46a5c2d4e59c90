"""``all_rank.csv`` and ``selected_rank.csv``: the history of a workspace, and the columns that a job asks for."""

from __future__ import annotations

import csv
import fcntl
import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ianvs.cases.records import FinishedCase
from ianvs.grammar.rank import ALL, RankConfig
from ianvs.rank.rows import BEFORE_MODULES, FIRST, TIME, URL, Columns, Row, rows_of, sort_rows, without_repeats
from sedna.common.atomic import write_atomic
from sedna.common.errors import DataError

RANK = "rank"


@dataclass(frozen=True)
class RankFiles:
    """Where the ranks of a job are."""

    folder: Path

    @classmethod
    def of(cls, workspace: str) -> RankFiles:
        """Those of a job's workspace."""
        return cls(Path(workspace) / RANK)

    @property
    def all(self) -> Path:
        """Every result of the workspace."""
        return self.folder / "all_rank.csv"

    @property
    def selected(self) -> Path:
        """What the job asks for."""
        return self.folder / "selected_rank.csv"

    @property
    def report(self) -> Path:
        """The page."""
        return self.folder / "report.html"


def update_rank(
    workspace: str, config: RankConfig, metrics: Sequence[str], finished: Sequence[FinishedCase]
) -> list[Row]:
    """Add results to the ranks of a workspace; a result that is there already (by its folder) is replaced.

    Returns:
        The rows of ``selected_rank.csv``, best first.

    Raises:
        DataError: ``all_rank.csv`` is there and is no rank.
    """
    files = RankFiles.of(workspace)
    files.folder.mkdir(parents=True, exist_ok=True)
    with _locked(files.folder):
        columns, rows = rows_of(finished, metrics)
        # Read within the lock: the rows of a job that shares the workspace would be lost otherwise.
        header, older = _read(files.all)
        # A resumed test case has the folder of its first attempt; its row replaces that one.
        new = {row[URL] for row in rows}
        ordered = sort_rows([*rows, *(row for row in older if row.get(URL) not in new)], config.order, columns.metrics)
        if config.save_mode != "selected_only":
            _write(files.all, columns.with_older(header).all, ordered)
        names, selected = _selected(config, columns, ordered)
        _write(files.selected, names, selected)
    return selected


def _selected(config: RankConfig, columns: Columns, rows: Sequence[Row]) -> tuple[tuple[str, ...], list[Row]]:
    chosen = config.selected_dataitem
    types = [name for name in columns.modules if "-" not in name]
    values = [name for name in columns.modules if "-" in name]
    names = (
        FIRST,
        *(columns.metrics if chosen.metrics == ALL else _with_intervals(chosen.metrics, columns.metrics)),
        BEFORE_MODULES,
        *(types if chosen.modules == ALL else chosen.modules),
        *(values if chosen.hyperparameters == ALL else chosen.hyperparameters),
        TIME,
        URL,
    )
    # Over the columns that are shown, time and folder apart: a run that was repeated takes one line.
    kept = without_repeats(rows, names[:-2])
    if chosen.paradigms != ALL:
        kept = [row for row in kept if row.get(BEFORE_MODULES) in chosen.paradigms]
    return names, kept


def _with_intervals(metrics: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for metric in metrics:
        yield metric
        if f"{metric}_ci95" in known:
            yield f"{metric}_ci95"


def _read(path: Path) -> tuple[list[str], list[Row]]:
    """Header without the rank, and rows; nothing if there is no file."""
    if not path.exists():
        return [], []
    reader = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    header = list(reader.fieldnames or ())
    if FIRST not in header or BEFORE_MODULES not in header:
        raise DataError("is no rank", where=str(path), hint="move it away, or take another workspace")
    rows = [{name: row.get(name) or "" for name in header if name != RANK} for row in reader]
    return [name for name in header if name != RANK], rows


def _write(path: Path, header: Iterable[str], rows: Sequence[Row]) -> None:
    names = list(header)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([RANK, *names])
    writer.writerows([place, *(row.get(name, "") for name in names)] for place, row in enumerate(rows, start=1))
    write_atomic(path, text.getvalue().encode())


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Two jobs that share a workspace take turns."""
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
