"""``ianvs validate``: check a benchmark without running it."""

from __future__ import annotations

import argparse
import ast
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ianvs.cases import plan
from ianvs.data import Dataset
from ianvs.data.index import check_index
from ianvs.grammar import Benchmark, load_benchmark
from ianvs.metrics.system import check_metrics
from sedna.common.errors import DataError, SednaError, SpecError


def main(words: Sequence[str]) -> int:
    """0 if the benchmark can run, 1 if not; every problem is printed."""
    parser = argparse.ArgumentParser(prog="ianvs validate", description="Check a benchmarking job without running it.")
    parser.add_argument("-f", "--benchmarking_config_file", metavar="FILE", required=True)
    file = parser.parse_args(words).benchmarking_config_file
    benchmark = load_benchmark(file)
    for note in benchmark.notes:
        sys.stdout.write(f"note: {note}\n")
    problems = list(check(benchmark))
    for problem in problems:
        sys.stdout.write(f"problem: {problem}\n")
    if problems:
        return 1
    sys.stdout.write(f"{file}: valid, {len(plan(benchmark))} test cases\n")
    return 0


def check(benchmark: Benchmark) -> Iterator[SednaError]:
    """What would go wrong, as far as that can be seen without running user code."""
    for algorithm in benchmark.algorithms:
        try:
            check_metrics(benchmark.testenv, algorithm.paradigm_type)
        except SpecError as error:
            yield error
    urls = [module.url for algorithm in benchmark.algorithms for module in algorithm.modules]
    urls += [package.url for algorithm in benchmark.algorithms for package in algorithm.third_party_packages]
    urls += [metric.url for metric in (*benchmark.testenv.metrics, benchmark.testenv.model_eval.model_metric)]
    for url in dict.fromkeys(url for url in urls if Path(url).suffix == ".py"):
        try:
            ast.parse(Path(url).read_bytes(), url)
        except (SyntaxError, ValueError) as error:
            yield DataError(f"is not Python: {error}", where=url)
    yield from _check_tasks(benchmark)
    yield from _check_data(benchmark)


def _check_tasks(benchmark: Benchmark) -> Iterator[SednaError]:
    """Lifelong learning: the methods and their hyper-parameters must fit the task set's configuration."""
    tasks = benchmark.testenv.tasks
    if tasks is None:
        return
    from ianvs.paradigms.lifelong import run_config

    for algorithm in benchmark.algorithms:
        if algorithm.paradigm_type == "lifelonglearning":
            for combination in algorithm.combinations():
                module = combination.get("basemodel")
                try:
                    if module is None:
                        raise SpecError(f"algorithm {algorithm.name!r} has no module of type basemodel")
                    run_config(tasks, module)
                except SednaError as error:
                    yield error


def _check_data(benchmark: Benchmark) -> Iterator[SednaError]:
    incremental = [one for one in benchmark.algorithms if one.paradigm_type == "incrementallearning"]
    if not benchmark.testenv.dataset.train:
        return
    with tempfile.TemporaryDirectory(prefix="ianvs-validate-") as folder:
        try:
            dataset = Dataset(benchmark.testenv.dataset, folder)
            for url in (dataset.train_url, dataset.test_url):
                if incremental:
                    check_index(url)
            for algorithm in incremental:
                setting = algorithm.incremental_learning_data_setting
                types = ("model_inference", "model_evaluation")
                rounds = benchmark.testenv.incremental_rounds
                pieces = dataset.split(setting.train_ratio, setting.splitting_method, types, folder, rounds)
                empty = [piece.id for piece in pieces if not all(piece.sizes)]
                if empty:
                    raise DataError(
                        f"rounds {', '.join(map(str, empty))} have nothing to infer on or nothing to judge with",
                        where=f"algorithm {algorithm.name}",
                        hint="fewer incremental_rounds, another train_ratio, or more data",
                    )
        except SednaError as error:
            yield error
