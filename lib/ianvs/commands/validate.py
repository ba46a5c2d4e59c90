"""``ianvs validate``: check a benchmark without running it."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ianvs.cases import plan
from ianvs.cases.workspace import workspace_problem
from ianvs.commands.arguments import add_job_file, job_file
from ianvs.commands.registered_names import (
    algorithm_files,
    built_in_problems,
    built_in_warnings,
    unregistered_metric,
    unregistered_modules,
)
from ianvs.data.dataset import with_absolute_paths
from ianvs.data.index import check_index
from ianvs.data.split import split_dataset
from ianvs.grammar import AlgorithmConfig, BenchmarkDraft, MetricConfig, TestEnv, read_benchmark
from ianvs.grammar.algorithm import INCREMENTAL, LIFELONG
from ianvs.grammar.section import Draft
from ianvs.metrics.system import metric_problems
from ianvs.usercode.inspection import Inspection
from sedna.common.errors import DataError, SednaError


def main(words: Sequence[str]) -> int:
    """0 if the benchmark can run, 1 if not; every note, warning and problem is printed."""
    parser = argparse.ArgumentParser(prog="ianvs validate", description="Check a benchmarking job without running it.")
    add_job_file(parser)
    file = job_file(parser, parser.parse_args(words))
    draft = read_benchmark(file)
    problems = list(check(draft))
    for kind, lines in (
        ("note", draft.findings.notes),
        ("warning", _each_once(warnings(draft))),
        ("problem", problems),
    ):
        for line in lines:
            sys.stdout.write(f"{kind}: {line}\n")
    if problems:
        return 1
    sys.stdout.write(f"{file}: valid, {len(plan(draft.benchmark()))} test cases\n")
    return 0


def check(draft: BenchmarkDraft) -> Iterator[SednaError]:
    """What would go wrong, as far as that can be seen without running user code."""
    yield from draft.findings.problems
    # Looked at, not made: validating leaves nothing behind.
    if draft.job is not None and draft.job.sound("workspace", "name"):
        problem = workspace_problem(draft.job.section, draft.file)
        if problem is not None:
            yield problem
    seen = set()
    for error in (
        *_metric_problems(draft),
        *Inspection.of(_python_files(draft)).errors,
        *_built_in_problems(draft),
    ):
        if str(error) not in seen:  # several algorithms share the test environment and its files
            seen.add(str(error))
            yield error
    yield from _task_problems(draft)
    if draft.testenv is not None and draft.testenv.sound("dataset"):
        yield from _data_problems(draft.testenv, draft.algorithms)


def warnings(draft: BenchmarkDraft) -> Iterator[str]:
    """What upstream tolerates, and what may go wrong when user code runs: imports and names that lead nowhere here."""
    yield from draft.findings.warnings
    yield from Inspection.of(_python_files(draft)).warnings
    for algorithm in draft.algorithms:
        yield from unregistered_modules(algorithm, _metric_files(draft))
        yield from built_in_warnings(algorithm, _metric_files(draft))
    if draft.testenv is not None and any(one.section.paradigm_type != LIFELONG for one in draft.algorithms):
        for metric in _metrics(draft):
            if metric.url:
                yield from unregistered_metric(draft.testenv.file, metric, _python_files(draft))


def _each_once(lines: Iterable[str]) -> list[str]:
    """Two entries of a job may name the same file."""
    return list(dict.fromkeys(lines))


def _metrics(draft: BenchmarkDraft) -> list[MetricConfig]:
    if draft.testenv is None:
        return []
    judge = getattr(draft.testenv.get("model_eval"), "model_metric", None)
    listed = draft.testenv.get("metrics") or ()
    return list(dict.fromkeys([*listed, *([] if judge is None else [judge])]))


def _python_files(draft: BenchmarkDraft) -> list[str]:
    files = [url for algorithm in draft.algorithms for url in algorithm_files(algorithm)]
    return files + _metric_files(draft)


def _metric_files(draft: BenchmarkDraft) -> list[str]:
    return [metric.url for metric in _metrics(draft) if metric.url]


def _metric_problems(draft: BenchmarkDraft) -> Iterator[SednaError]:
    if draft.testenv is not None and draft.testenv.get("metrics"):  # what is left of them, if some are wrong
        # Without a paradigm there are still names that none of them knows.
        for paradigm in dict.fromkeys(algorithm.section.paradigm_type for algorithm in draft.algorithms) or (None,):
            yield from metric_problems(draft.testenv.section, paradigm)


def _built_in_problems(draft: BenchmarkDraft) -> Iterator[SednaError]:
    job = draft.job
    seeded = job is not None and job.get("seeds") and job.get("seed_parameter")
    seed = (job.section.seed_parameter, job.section.seeds[0]) if job is not None and seeded else None
    for algorithm in draft.algorithms:
        yield from built_in_problems(algorithm, _metric_files(draft), seed)


def _task_problems(draft: BenchmarkDraft) -> Iterator[SednaError]:
    """Lifelong learning: the methods and their hyper-parameters must fit the task set's configuration."""
    tasks = None if draft.testenv is None else draft.testenv.get("tasks")
    if tasks is None:
        return
    from ianvs.paradigms.lifelong import run_config

    for algorithm in draft.algorithms:
        if algorithm.section.paradigm_type == LIFELONG and algorithm.sound("modules"):
            for combination in algorithm.section.combinations():
                module = combination.get("basemodel")
                try:
                    if module is not None:  # that one is missing was found when the files were read
                        run_config(tasks, module)
                except SednaError as error:
                    yield error


def _data_problems(testenv: Draft[TestEnv], algorithms: Sequence[Draft[AlgorithmConfig]]) -> Iterator[SednaError]:
    data = testenv.section.dataset
    incremental = [one for one in algorithms if one.section.paradigm_type == INCREMENTAL]
    with tempfile.TemporaryDirectory(prefix="ianvs-validate-") as folder:
        ready: dict[str, str] = {}
        for part, url in (("train", data.train), ("test", data.test), ("holdout", data.holdout_index)):
            try:
                file, _ = with_absolute_paths(url, Path(folder) / f"{part}.txt", data.label_tokens == "rest")
                if url and incremental:
                    check_index(file, written_from=url)
                ready[part] = file
            except SednaError as error:
                yield error
        if ready.get("train") and testenv.sound("incremental_rounds"):
            for algorithm in incremental:
                if algorithm.sound("incremental_learning_data_setting"):
                    yield from _round_problems(
                        algorithm.section, ready["train"], testenv.section.incremental_rounds, folder
                    )


def _round_problems(algorithm: AlgorithmConfig, train: str, rounds: int, folder: str) -> Iterator[SednaError]:
    setting = algorithm.incremental_learning_data_setting
    types = ("model_inference", "model_evaluation")
    try:
        pieces = split_dataset(train, setting.train_ratio, setting.splitting_method, types, folder, rounds)
    except SednaError as error:
        yield error
        return
    empty = [piece.id for piece in pieces if not all(piece.sizes)]
    if empty:
        yield DataError(
            f"rounds {', '.join(map(str, empty))} have nothing to infer on or nothing to judge with",
            where=f"algorithm {algorithm.name}",
            hint="fewer incremental_rounds, another train_ratio, or more data",
        )
