"""``ianvs -f``: run a benchmark, rank it, show it."""

from __future__ import annotations

import logging
import signal
import sys
from types import FrameType
from typing import NoReturn

from ianvs.grammar import load_benchmark
from ianvs.grammar.rank import PRINTED
from ianvs.rank import RankFiles
from ianvs.rank.show import print_table
from ianvs.runner.run import JobOutcome, Settings, run_benchmark

LOG = logging.getLogger("ianvs")


def run(file: str, *, jobs: int = 1, resume: bool = False, report: bool = True) -> int:
    """Run the job of a file; 0 if every test case has a result, else 1.

    Raises:
        SpecError, NotFoundError: the job is wrong; nothing ran.
    """
    benchmark = load_benchmark(file)
    for note in benchmark.notes:
        LOG.warning("%s", note)
    # Ended like an interrupt, so that the test cases end with it; by default they would run on without a runner.
    signal.signal(signal.SIGTERM, _terminated)
    outcome = run_benchmark(benchmark, Settings(jobs=jobs, resume=resume))
    files = RankFiles.of(benchmark.workspace)
    ranked = len(outcome.failed) < len(outcome.finished)
    if ranked and benchmark.job.rank.visualization.mode == PRINTED:
        print_table(files.selected)
    if benchmark.job.rank.save_mode == "selected_and_all_and_picture":
        from ianvs.rank.show import draw_heatmaps

        draw_heatmaps(outcome.finished)
    if report and ranked:
        from ianvs.report import write_report

        write_report(files.report, benchmark, outcome.finished)
        LOG.info("report: %s", files.report)
    return _show_end(outcome)


def _show_end(outcome: JobOutcome) -> int:
    if not outcome.failed:
        LOG.info("benchmarkingjob runs successfully.")
        return 0
    for entry in outcome.failed:
        failure = entry.result.failure
        assert failure is not None
        sys.stderr.write(f"\n{entry.case.algorithm} ({entry.case.output_dir}): {failure.kind}: {failure.summary}\n")
        sys.stderr.write(f"  log: {entry.case.output_dir}/case.log\n")
    sys.stderr.write(f"benchmarkingjob runs failed: {len(outcome.failed)} of {len(outcome.finished)} test cases\n")
    return 1


def _terminated(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
