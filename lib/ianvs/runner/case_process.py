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
from ianvs.cases.checkpoints import CHECKPOINT, Checkpoints, locked_folder
from ianvs.cases.measurements import Measurements, RoundRecord, Stopwatch
from ianvs.cases.meters import CaseMeter, ResourceUsage, cpu_seconds, peak_memory_bytes
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
from ianvs.data import CaseDataset
from ianvs.grammar import Benchmark, Combination, load_benchmark
from ianvs.metrics.compute import compute_metrics
from ianvs.paradigms import Case, paradigm_of
from ianvs.usercode import UserCode, core_alias
from ianvs.usercode.trace import user_place
from sedna.common.atomic import append_line, write_atomic
from sedna.common.errors import ConflictError, SednaError
from sedna.common.log_repeats import RepeatFilter

_PR_SET_PDEATHSIG = 1


class FileProgress:
    """The progress of a test case for the runner to read: a small file, and one line a round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def step(self, fraction: float, text: str) -> None:
        # Renamed into place: the runner reads at any moment, and must not find half of it.
        partial = self._folder / f".{PROGRESS}"
        partial.write_text(json.dumps({"fraction": fraction, "text": text}))
        partial.replace(self._folder / PROGRESS)

    def round_done(self, record: RoundRecord) -> None:
        append_line(self._folder / ROUNDS, record.model_dump_json())

    def resume(self, records: Sequence[RoundRecord]) -> None:
        lines = "".join(f"{record.model_dump_json()}\n" for record in records)
        write_atomic(self._folder / ROUNDS, lines.encode())


def run_case(record: CaseRecord, benchmark: Benchmark, planned: PlannedCase) -> CaseResult:
    """Run a test case in this process.

    Raises:
        Exception: any error of the description, the data or user code.
    """
    watch = Stopwatch()
    meter = CaseMeter(benchmark.testenv.energy.core_watts, watch)
    case = _case(record, benchmark, planned, meter, watch)
    for package in planned.algorithm.third_party_packages:
        case.code.load(package.url)
    # Loading a user file is followed by this too, since it imports the framework; an algorithm by name has no file.
    seed_everything(record.seed)
    result = paradigm_of(planned.algorithm.paradigm_type)(case)
    case.progress.step(0.98, "metrics")
    # Read before the metrics, which system metrics are computed from, and again after them, for the whole cost.
    measurements, usage = result.measurements, meter.usage()
    measurements.peak_memory_bytes, measurements.energy_joules = usage.peak_memory_bytes, usage.energy.joules
    metrics = {name: plain(value) for name, value in compute_metrics(case, result).items()}
    return CaseResult(
        key=record.key,
        status="done",
        time=time.strftime("%Y-%m-%d %H:%M:%S"),
        metrics=metrics,
        rounds=tuple(measurements.rounds),
        cost=_cost(result.measurements, meter.usage()),
        notes=(*case.dataset.notes, *case.checkpoints.notes),
    )


def _case(record: CaseRecord, benchmark: Benchmark, planned: PlannedCase, meter: CaseMeter, watch: Stopwatch) -> Case:
    argv = (record.prog, "-f", record.job_file)
    return Case(
        output_dir=record.output_dir,
        testenv=benchmark.testenv,
        algorithm=planned.algorithm,
        combination=_seeded(planned.combination, benchmark.job.seed_parameter, record.seed),
        dataset=CaseDataset(benchmark.testenv.dataset, f"{record.output_dir}/dataset"),
        code=UserCode(argv, after_load=lambda: seed_everything(record.seed)),
        progress=FileProgress(Path(record.output_dir)),
        checkpoints=Checkpoints(Path(record.output_dir), record.training_key, meter),
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


def _cost(measurements: Measurements, usage: ResourceUsage) -> Cost:
    return Cost(
        seconds=usage.seconds,
        algorithm_seconds=usage.algorithm_seconds,
        cpu_seconds=usage.cpu_seconds,
        peak_memory_bytes=usage.peak_memory_bytes,
        uplink_bytes=measurements.uplink_bytes,
        downlink_bytes=measurements.downlink_bytes,
        energy_joules=usage.energy.joules,
        energy_source=usage.energy.source,
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
    """The result, or a failure: every error of a test case ends here."""
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
        # The kernel sends the signal even if the runner gets SIGKILL; no handler of the runner could.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            raise SystemExit(1)
    yield


def main(argv: list[str]) -> int:
    """0 if the test case has a result, 1 if it failed; either way ``result.json`` says so."""
    folder, parent = Path(argv[1]), int(argv[2])
    with _end_with_runner(parent), locked_folder(folder):
        record = CaseRecord.model_validate_json((folder / CASE).read_bytes())
        bounded = logging.StreamHandler()
        bounded.addFilter(RepeatFilter())
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", handlers=[bounded]
        )
        # Before any user file is loaded: their arguments, parsed at import, are upstream's, and `core` must be there.
        core_alias.install()
        sys.argv[:] = [record.prog, "-f", record.job_file]
        result = _guarded(folder, record)
        write_record(folder, RESULT, result)
        # The checkpoint goes after the result is there: killed in between, the test case counts as done.
        if result.status == "done":
            (folder / CHECKPOINT).unlink(missing_ok=True)
    return 0 if result.status == "done" else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
