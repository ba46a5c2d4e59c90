"""What a run left in the database and the store, as figures and evidence."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from globalmanager.db import Database, datasets, jobs, rounds, samples
from globalmanager.db.values import DatasetVersionRow, JobRow, RoundRow, SampleFilter, SampleRow
from globalmanager.demo.figures import RoundFigures
from globalmanager.demo.report import Evidence, ExampleBoard
from globalmanager.demo.scenario import Board, Scenario
from sedna.common.errors import PermanentError
from sedna.common.pictures import read_pixels
from sedna.common.types import Box, JobKey, Picked
from sedna.edge.runtime import open_runtime
from sedna.loop.state import Outcome
from sedna.loop.verdict import Comparison
from sedna.store import ObjectStore
from sedna.store.models import fetch_model, load_manifest

EXAMPLES = 3
EXAMPLE_SEED = 0
PAGE = 1000
SHORTEST = 0.05
"""Seconds; stages that are over at once are no news."""


@dataclass(frozen=True)
class Collected:
    """The rounds, and what follows from them."""

    rounds: tuple[RoundFigures, ...]
    f1_before: float
    f1_after: float
    stage_seconds: dict[str, float]


class Collector:
    """Reads a finished run."""

    def __init__(self, db: Database, store: ObjectStore, job: JobKey, scenario: Scenario, models_folder: Path) -> None:
        self._db = db
        self._store = store
        self._key = job
        self._scenario = scenario
        self._models = models_folder

    def rounds(self, bad_round: int | None) -> Collected:
        """Figures of all rounds; ``bad_round`` is the one that was made bad on purpose."""
        rows = self._round_rows()
        figures = tuple(self._figures(row, bad=row.round == bad_round) for row in rows)
        stages = {
            f"round {entry.round} {stage.lower()}": seconds
            for entry in figures
            for stage, seconds in entry.seconds.items()
            if seconds >= SHORTEST
        }
        return Collected(figures, _holdout(rows[0]).champion, _holdout(self._last_deployed(rows)).candidate, stages)

    def evidence(self, started: datetime) -> Evidence:
        """What the report shows beside the figures."""
        rows = self._round_rows()
        before, after = _holdout(rows[0]).champion_classes, _holdout(self._last_deployed(rows)).candidate_classes
        return Evidence(
            class_names=self._scenario.class_names,
            class_f1_before=tuple(value or 0.0 for value in before),
            class_f1_after=tuple(value or 0.0 for value in after),
            uploads=self._uploads(started),
            boards=self._boards(),
        )

    # --- rounds ------------------------------------------------------------------------------------------------------

    def _job(self) -> JobRow:
        with self._db.read() as session:
            return jobs.get(session, self._key)

    def _round_rows(self) -> list[RoundRow]:
        job = self._job()
        with self._db.read() as session:
            page = rounds.list_page(session, job.id, limit=PAGE)
        found = sorted((row for row in page.items if row.outcome is not None), key=lambda row: row.round)
        if not found:
            raise PermanentError("no round has ended", where=str(self._key))
        return found

    @staticmethod
    def _last_deployed(rows: Sequence[RoundRow]) -> RoundRow:
        deployed = [row for row in rows if row.outcome is Outcome.DEPLOYED]
        if not deployed:
            raise PermanentError("no candidate was better than the initial model", where="rounds")
        return deployed[-1]

    def _figures(self, row: RoundRow, *, bad: bool) -> RoundFigures:
        assert row.outcome is not None
        with self._db.read() as session:
            dataset = datasets.get(session, self._job().id, row.dataset_version) if row.dataset_version else None
            parent = datasets.get(session, self._job().id, dataset.parent) if dataset and dataset.parent else None
        holdout = row.verdict.holdout if row.verdict is not None else None
        evaluation = row.evaluation
        champion = evaluation.champion if evaluation is not None else None
        return RoundFigures(
            round=row.round,
            trigger=row.reason,
            bad_on_purpose=bad,
            samples=_size(dataset),
            new_samples=_size(dataset) - _size(parent),
            outcome=row.outcome.value,
            champion_f1=holdout.champion if holdout is not None else None,
            candidate_f1=holdout.candidate if holdout is not None else None,
            champion_metrics=champion.model_dump(mode="json")["metrics"] if champion is not None else {},
            candidate_metrics=evaluation.candidate.model_dump(mode="json")["metrics"] if evaluation is not None else {},
            verdict=row.outcome_reason if row.verdict is None else row.verdict.reason,
            seconds=_stage_seconds(row),
        )

    # --- samples -----------------------------------------------------------------------------------------------------

    def _uploads(self, started: datetime) -> tuple[tuple[float, int], ...]:
        total, points = 0, [(0.0, 0)]
        for sample in sorted(self._uploaded(), key=lambda row: row.received_at):
            total += sample.record.size
            points.append(((sample.received_at - started).total_seconds(), total))
        return tuple(points)

    def _uploaded(self) -> list[SampleRow]:
        job, found, cursor = self._job(), [], None
        while True:
            with self._db.read() as session:
                page = samples.list_page(session, job.id, SampleFilter(), limit=PAGE, cursor=cursor)
            found += [row for row in page.items if row.record.picked is not Picked.IMPORT]
            cursor = page.next
            if cursor is None:
                return found

    # --- example boards ----------------------------------------------------------------------------------------------

    def _boards(self) -> tuple[ExampleBoard, ...]:
        """Hold-out boards drawn at random, from different groups: neither the best nor the worst ones."""
        rng = random.Random(EXAMPLE_SEED)
        boards = list(self._scenario.parts["holdout"])
        rng.shuffle(boards)
        one_a_group = list({board.group: board for board in reversed(boards)}.values())[:EXAMPLES]
        champion = self._job().state.champion
        assert champion is not None
        before, after = self._predict(1, one_a_group), self._predict(champion, one_a_group)
        return tuple(
            ExampleBoard(board.path, board.group, board.boxes, old, new)
            for board, old, new in zip(one_a_group, before, after, strict=True)
        )

    def _predict(self, version: int, boards: Sequence[Board]) -> list[tuple[Box, ...]]:
        manifest = load_manifest(self._store, self._key, version)
        folder = self._models / str(version)
        fetch_model(self._store, manifest, folder)
        runtime = open_runtime(folder, manifest)
        try:
            return [prediction.boxes for prediction in runtime.predict([_pixels(board.path) for board in boards])]
        finally:
            runtime.close()


def _pixels(path: Path) -> np.ndarray:
    return read_pixels(path)


def _size(dataset: DatasetVersionRow | None) -> int:
    """Samples of a version, hold-out apart."""
    return 0 if dataset is None else dataset.train + dataset.eval


def _holdout(row: RoundRow) -> Comparison:
    if row.verdict is None or row.verdict.holdout is None:
        raise PermanentError(
            "the round was not judged on the hold-out", where=f"round {row.round}", hint=row.outcome_reason
        )
    return row.verdict.holdout


def _stage_seconds(row: RoundRow) -> dict[str, float]:
    """Seconds spent in each stage, attempts added up."""
    assert row.ended_at is not None
    ends = [*(entry.at for entry in row.stages[1:]), row.ended_at]
    seconds: dict[str, float] = {}
    for entry, end in zip(row.stages, ends, strict=True):
        name = entry.stage.value
        seconds[name] = round(seconds.get(name, 0.0) + (end - entry.at).total_seconds(), 2)
    return seconds
