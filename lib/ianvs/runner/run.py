"""Running a whole benchmark: a process for each test case, several at a time, results stored as they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from ianvs.cases import plan
from ianvs.cases.records import (
    CASE,
    LOG,
    PROGRESS,
    RESULT,
    CaseRecord,
    CaseResult,
    Cost,
    Failure,
    FinishedCase,
    read_finished,
    write_record,
)
from ianvs.cases.workspace import make_workspace
from ianvs.grammar import Benchmark, Findings
from ianvs.metrics.system import metric_problems
from ianvs.rank import update_rank
from ianvs.runner.history import EarlierRuns, case_records
from ianvs.runner.reporter import Reporter, make_reporter
from sedna.common.errors import SpecError

_LOOK_SECONDS = 0.5
"""How often the bar moves while no test case ends; a reading is one small file for each running test case."""
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Settings:
    """How to run. ``prog`` is what user code sees as the program's name."""

    jobs: int = 1
    resume: bool = False
    prog: str = "ianvs"

    @property
    def threads(self) -> int | None:
        """Threads of numeric libraries in each test case, so that several do not fight for the cores; None = theirs."""
        return None if self.jobs <= 1 else max(1, len(os.sched_getaffinity(0)) // self.jobs)


@dataclass(frozen=True)
class JobOutcome:
    """The end of a benchmark: every test case in plan order, and how many results are from an earlier run."""

    finished: tuple[FinishedCase, ...]
    resumed: int = 0

    @property
    def failed(self) -> tuple[FinishedCase, ...]:
        """Test cases without a result."""
        return tuple(entry for entry in self.finished if entry.result.status == "failed")


@dataclass
class _Running:
    """The processes that are running, so that they can be ended and their progress be read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    processes: dict[str, tuple[subprocess.Popen[bytes], Path, str]] = field(default_factory=dict)
    stopped: bool = False

    def stop(self) -> None:
        """End every test case; no further one starts."""
        with self.lock:
            # The lock that starting takes, too: a test case either sees `stopped`, or is in the list and is killed.
            self.stopped = True
            for process, _, _ in self.processes.values():
                if process.poll() is None:
                    # The whole group, as data loaders and compilers of user code outlive their parent.
                    os.killpg(process.pid, signal.SIGKILL)

    def stages(self) -> Mapping[str, tuple[float, str]]:
        """How far each running test case is."""
        with self.lock:
            entries = list(self.processes.values())
        return {title: _progress(folder) for _, folder, title in entries}


def run_benchmark(benchmark: Benchmark, settings: Settings) -> JobOutcome:
    """Run every test case of a benchmark, and keep the ranks of its workspace up to date.

    Raises:
        SpecError: metrics that cannot be computed, unusable settings, or a workspace that cannot be made; before
            anything runs.
    """
    if settings.jobs < 1:
        raise SpecError(f"{settings.jobs} test cases at a time", where="--jobs", hint="1 or more")
    findings = Findings()
    for algorithm in benchmark.algorithms:
        for problem in metric_problems(benchmark.testenv, algorithm.paradigm_type):
            findings.problem(problem)
    findings.raise_problems(benchmark.file)
    make_workspace(benchmark)
    planned = plan(benchmark)
    earlier = EarlierRuns.of(benchmark, planned) if settings.resume else EarlierRuns()
    records = case_records(benchmark, planned, earlier, settings.prog, settings.threads)
    results = {n: earlier.done[case.key] for n, case in enumerate(planned) if case.key in earlier.done}
    resumed = len(results)
    todo = [n for n in range(len(planned)) if n not in results]
    with make_reporter(len(planned)) as reporter:
        if resumed:
            reporter.line(f"{resumed} of {len(planned)} test cases have a result already")
        for n in todo:
            if planned[n].training_key in earlier.resumable:
                reporter.line(f"{planned[n].title}: goes on where it was, in {records[n].output_dir}")
        _run_all(benchmark, [(n, planned[n].title, records[n]) for n in todo], results, settings.jobs, reporter)
    finished = tuple(results[n] for n in sorted(results))
    _save(benchmark, finished)
    return JobOutcome(finished, resumed)


def _run_all(
    benchmark: Benchmark,
    todo: Sequence[tuple[int, str, CaseRecord]],
    results: dict[int, FinishedCase],
    jobs: int,
    reporter: Reporter,
) -> None:
    running = _Running()
    with ThreadPoolExecutor(jobs, thread_name_prefix="ianvs-case") as pool:
        try:
            waiting: dict[Future[FinishedCase], tuple[int, str]] = {
                pool.submit(_run_one, record, title, running): (n, title) for n, title, record in todo
            }
            while waiting:
                ended, _ = wait(waiting, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                for future in ended:
                    index, title = waiting.pop(future)
                    results[index] = future.result()
                    _show_end(results[index], title, reporter)
                    # After each one, not at the end: hours of results must not hang on the last test case.
                    _save(benchmark, [results[n] for n in sorted(results)])
                reporter.update(len(results), running.stages())
        except BaseException:  # an interrupt above all: leaving the pool would wait for test cases of hours
            running.stop()
            pool.shutdown(cancel_futures=True)
            raise


def _show_end(finished: FinishedCase, title: str, reporter: Reporter) -> None:
    result = finished.result
    if result.failure is not None:
        reporter.line(f"FAILED {title}: {result.failure.summary}")
    else:
        values = ", ".join(f"{name} {value}" for name, value in result.metrics.items())
        reporter.line(f"done   {title}: {values} ({result.cost.seconds:.1f} s)")


def _save(benchmark: Benchmark, finished: Sequence[FinishedCase]) -> None:
    metrics = [metric.name for metric in benchmark.testenv.metrics]
    if any(entry.result.status == "done" for entry in finished):
        update_rank(benchmark.workspace, benchmark.job.rank, metrics, finished)


def _run_one(record: CaseRecord, title: str, running: _Running) -> FinishedCase:
    """Run one test case in a process of its own; a process that dies without a word leaves a failure."""
    folder = Path(record.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    # The result of a failed attempt goes first: if this process is killed in between, a resumed run must not find the
    # record of this attempt beside the result of that one.
    (folder / RESULT).unlink(missing_ok=True)
    write_record(folder, CASE, record)
    started = time.monotonic()
    command = [sys.executable, "-m", "ianvs.runner.case_process", record.output_dir, str(os.getpid())]
    threads = {} if record.threads is None else dict.fromkeys(_THREADS, str(record.threads))
    environment = {**threads, **os.environ, "PYTHONHASHSEED": str(record.seed % 2**32)}  # a user's own figure counts
    with (folder / LOG).open("ab") as log:
        with running.lock:
            if running.stopped:
                raise KeyboardInterrupt
            # A session of its own: Ctrl-C in the terminal reaches this process alone, which then ends them in order.
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
            running.processes[record.output_dir] = (process, folder, title)
        code = process.wait()
    with running.lock:
        # Out of the list before its id can be given to another process, which `stop` would kill.
        del running.processes[record.output_dir]
    finished = read_finished(folder)
    return finished or _died(record, folder, code, time.monotonic() - started)


def _died(record: CaseRecord, folder: Path, code: int, seconds: float) -> FinishedCase:
    how = f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"
    hint = " (out of memory?)" if code == -signal.SIGKILL else ""
    # A killed process writes no traceback; the end of its log is all there is, and often names the memory.
    tail = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-2000:]
    result = CaseResult(
        key=record.key,
        status="failed",
        time=time.strftime("%Y-%m-%d %H:%M:%S"),
        cost=Cost(seconds=seconds),
        failure=Failure(kind="Died", message=f"its process ended with {how}{hint}", traceback=tail),
    )
    write_record(folder, RESULT, result)
    return FinishedCase(case=record, result=result)


def _progress(folder: Path) -> tuple[float, str]:
    try:
        progress = json.loads((folder / PROGRESS).read_text())
    except (OSError, ValueError):
        return 0.0, "starting"
    return float(progress["fraction"]), str(progress["text"])
