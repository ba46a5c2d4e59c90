"""The records of the test cases that are about to run, and what earlier runs of the workspace left of them."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from ianvs.cases import PlannedCase
from ianvs.cases.checkpoints import CHECKPOINT, is_resumable
from ianvs.cases.records import (
    CASE,
    RESULT,
    CaseRecord,
    FinishedCase,
    ModuleRecord,
    installed_versions,
    machine,
    read_finished,
)
from ianvs.grammar import Benchmark


@dataclass(frozen=True)
class EarlierRuns:
    """What earlier runs left: results by key, and test cases that can go on by training key. The newest of each."""

    done: dict[str, FinishedCase] = field(default_factory=dict)
    resumable: dict[str, CaseRecord] = field(default_factory=dict)

    @classmethod
    def of(cls, benchmark: Benchmark, planned: Sequence[PlannedCase]) -> Self:
        """What the workspace has for these test cases."""
        keys = {case.key for case in planned}
        done: dict[str, FinishedCase] = {}
        for folder in _folders(benchmark, RESULT):
            finished = read_finished(folder)
            if finished is None or finished.result.status != "done" or finished.case.key not in keys:
                continue
            older = done.get(finished.case.key)
            if older is None or older.case.started_at < finished.case.started_at:
                done[finished.case.key] = finished
        training_keys = {case.training_key for case in planned if case.key not in done}
        resumable: dict[str, CaseRecord] = {}
        for folder in _folders(benchmark, CHECKPOINT):
            record = _read_case(folder)
            if record is None or record.training_key not in training_keys:
                continue
            if not is_resumable(folder, record.training_key):
                continue
            known = resumable.get(record.training_key)
            if known is None or known.started_at < record.started_at:
                resumable[record.training_key] = record
        return cls(done, resumable)

    def group(self, case: PlannedCase) -> str | None:
        """The folder that all seeds of a test case share, if one of them ran."""
        if case.key in self.done:
            return self.done[case.key].case.group
        return self.resumable[case.training_key].group if case.training_key in self.resumable else None


def _folders(benchmark: Benchmark, file: str) -> Iterator[Path]:
    root = Path(benchmark.workspace)
    for path in [*root.glob(f"*/*/{file}"), *root.glob(f"*/*/seed-*/{file}")]:
        yield path.parent


def _read_case(folder: Path) -> CaseRecord | None:
    try:
        record = CaseRecord.model_validate_json((folder / CASE).read_bytes())
    except (OSError, ValidationError):
        return None
    # In a workspace that was moved or copied the record names another folder, where the run would go on.
    return record if Path(record.output_dir).resolve() == folder.resolve() else None


def case_records(
    benchmark: Benchmark, planned: Sequence[PlannedCase], earlier: EarlierRuns, prog: str, threads: int | None
) -> list[CaseRecord]:
    """A record of every test case, in the folder where it ran before or in a new one."""
    files = {name: Path(name).read_text(encoding="utf-8") for name in benchmark.files}
    versions, where, now = installed_versions(), machine(), datetime.now(UTC)
    seeded = bool(benchmark.job.seeds)
    groups: dict[tuple[int, int], str] = {}
    for case in planned:
        place, known = (case.id.algorithm, case.id.combination), earlier.group(case)
        # Values that are listed twice make equal test cases, which must not share one folder.
        if known is not None and known not in groups.values():
            groups.setdefault(place, known)
    records = []
    for case in planned:
        fresh = os.path.join(benchmark.workspace, case.algorithm.name, str(uuid.uuid1()))  # noqa: PTH118
        group = groups.setdefault((case.id.algorithm, case.id.combination), fresh)
        records.append(
            CaseRecord(
                key=case.key,
                training_key=case.training_key,
                job_file=benchmark.file,
                algorithm_index=case.id.algorithm,
                combination_index=case.id.combination,
                seed=case.id.seed,
                algorithm=case.algorithm.name,
                paradigm=case.algorithm.paradigm_type,
                modules=_modules(case),
                output_dir=f"{group}/seed-{case.id.seed}" if seeded else group,
                group=group,
                prog=prog,
                started_at=now,
                versions=versions,
                machine=where,
                threads=threads,
                files=files,
            )
        )
    return records


def _modules(case: PlannedCase) -> tuple[ModuleRecord, ...]:
    return tuple(
        ModuleRecord(
            type=module.type,
            name=module.name,
            url=module.url,
            hyperparameters={name: str(value) for name, value in module.hyperparameters.items()},
            values=json.loads(json.dumps(module.hyperparameters, default=str)),
        )
        for module in case.combination.modules
    )
