"""The process of one test case: ``python -m ianvs.runner.case_process <folder>``.

Everything that user code changes (environment, modules, random generators) ends with this process.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ianvs.cases import CaseId, PlannedCase, plan
from ianvs.cases.checkpoints import CHECKPOINT, Checkpoints, owned
from ianvs.cases.measurements import Facts, RoundRecord, Stopwatch
from ianvs.cases.meters import CaseMeter, Spent, cpu_seconds, peak_memory_bytes
from ianvs.cases.records import (
    CASE,
    PROGRESS,
    RESULT,
    ROUNDS,
    CaseRecord,
    CaseResult,
    Cost,
    Failure,
    write_record,
)
from ianvs.cases.seeding import seed_everything
from ianvs.data import Dataset
from ianvs.grammar import Benchmark, Combination, load_benchmark
from ianvs.metrics.compute import compute_metrics
from ianvs.paradigms import Case, paradigm_of
from ianvs.usercode import UserCode, core_alias
from ianvs.usercode.trace import user_place
from sedna.common.atomic import append_line, write_atomic
from sedna.common.errors import ConflictError, SednaError

_PR_SET_PDEATHSIG = 1


class FileProgress:
    """Progress for the runner to read: a small file, and one line a round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def step(self, fraction: float, text: str) -> None:
        partial = self._folder / f".{PROGRESS}"
        partial.write_text(json.dumps({"fraction": fraction, "text": text}))
        partial.replace(self._folder / PROGRESS)

    def round_done(self, record: RoundRecord) -> None:
        append_line(self._folder / ROUNDS, record.model_dump_json())

    def go_on(self, records: Sequence[RoundRecord]) -> None:
        lines = "".join(f"{record.model_dump_json()}\n" for record in records)
        write_atomic(self._folder / ROUNDS, lines.encode())


def run_case(record: CaseRecord, benchmark: Benchmark, planned: PlannedCase) -> CaseResult:
    """Run a test case in this process.

    Raises:
        Whatever the description, the data or user code is guilty of.
    """
    watch = Stopwatch()
    meter = CaseMeter(benchmark.testenv.energy.core_watts, watch)
    case = _case(record, benchmark, planned, meter, watch)
    for package in planned.algorithm.third_party_packages:
        case.code.load(package.url)
    seed_everything(record.seed)  # user files are followed by this too; an algorithm by name has none
    outcome = paradigm_of(planned.algorithm.paradigm_type)(case)
    case.progress.step(0.98, "metrics")
    facts, spent = outcome.facts, meter.spent()
    facts.peak_memory_bytes, facts.energy_joules = spent.peak_memory_bytes, spent.energy.joules
    metrics = {name: plain(value) for name, value in compute_metrics(case, outcome).items()}
    return CaseResult(
        key=record.key,
        status="done",
        time=time.strftime("%Y-%m-%d %H:%M:%S"),
        metrics=metrics,
        rounds=tuple(facts.rounds),
        cost=_cost(outcome.facts, meter.spent()),
        notes=(*case.dataset.notes, *case.checkpoints.notes),
    )


def _case(record: CaseRecord, benchmark: Benchmark, planned: PlannedCase, meter: CaseMeter, watch: Stopwatch) -> Case:
    argv = (record.prog, "-f", record.job_file)
    return Case(
        output_dir=record.output_dir,
        testenv=benchmark.testenv,
        algorithm=planned.algorithm,
        combination=_seeded(planned.combination, benchmark.job.seed_parameter, record.seed),
        dataset=Dataset(benchmark.testenv.dataset, f"{record.output_dir}/dataset"),
        code=UserCode(argv, after_load=lambda: seed_everything(record.seed)),
        progress=FileProgress(Path(record.output_dir)),
        checkpoints=Checkpoints(Path(record.output_dir), record.course, meter),
        watch=watch,
    )


def _seeded(combination: Combination, parameter: str, seed: int) -> Combination:
    """The combination with the seed as a hyper-parameter of the basemodel, if the job asks for that."""
    if not parameter:
        return combination
    modules = tuple(
        module.model_copy(update={"hyperparameters": {**module.hyperparameters, parameter: seed}})
        if module.type == "basemodel"
        else module
        for module in combination.modules
    )
    return combination.model_copy(update={"modules": modules})


def _cost(facts: Facts, spent: Spent) -> Cost:
    return Cost(
        seconds=spent.seconds,
        algorithm_seconds=spent.algorithm_seconds,
        cpu_seconds=spent.cpu_seconds,
        peak_memory_bytes=spent.peak_memory_bytes,
        uplink_bytes=facts.uplink_bytes,
        downlink_bytes=facts.downlink_bytes,
        energy_joules=spent.energy.joules,
        energy_source=spent.energy.source,
    )


def plain(value: Any) -> Any:
    """A metric's value as JSON can hold it; what JSON does not know is shown as text."""
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def find_case(record: CaseRecord, benchmark: Benchmark) -> PlannedCase:
    """The test case that the record stands for.

    Raises:
        ConflictError: the files changed since the runner read them.
    """
    wanted = CaseId(record.algorithm_index, record.combination_index, record.seed)
    for planned in plan(benchmark):
        if planned.id == wanted and planned.key == record.key:
            return planned
    raise ConflictError(
        "the benchmark's files changed while it was running", where=record.job_file, hint="start it again"
    )


def _guarded(folder: Path, record: CaseRecord) -> CaseResult:
    """The result, also when there is none: the one place where every error of a test case ends."""
    try:
        benchmark = load_benchmark(record.job_file)
        return run_case(record, benchmark, find_case(record, benchmark))
    except SednaError as error:
        return _failed(record, error, str(error))
    except SystemExit as error:
        return _failed(record, error, f"user code ended the process: {error}")
    except Exception as error:
        logging.getLogger("ianvs").exception("test case in %s failed", folder)
        return _failed(record, error, str(error) or type(error).__name__)


def _failed(record: CaseRecord, error: BaseException, message: str) -> CaseResult:
    return CaseResult(
        key=record.key,
        status="failed",
        time=time.strftime("%Y-%m-%d %H:%M:%S"),
        cost=Cost(cpu_seconds=cpu_seconds(), peak_memory_bytes=peak_memory_bytes()),
        failure=Failure(
            kind=type(error).__name__,
            message=message,
            place=user_place(error),
            traceback="".join(traceback.format_exception(error)),
        ),
    )


@contextlib.contextmanager
def _end_with_runner(parent: int) -> Iterator[None]:
    """A killed runner must not leave test cases behind that write into folders which a resumed run takes over."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            raise SystemExit(1)
    yield


def main(argv: list[str]) -> int:
    """0 if the test case has a result, 1 if it failed; either way ``result.json`` says so."""
    folder, parent = Path(argv[1]), int(argv[2])
    with _end_with_runner(parent), owned(folder):
        record = CaseRecord.model_validate_json((folder / CASE).read_bytes())
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        core_alias.install()
        sys.argv[:] = [record.prog, "-f", record.job_file]
        result = _guarded(folder, record)
        write_record(folder, RESULT, result)
        if result.status == "done":
            (folder / CHECKPOINT).unlink(missing_ok=True)
    return 0 if result.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
