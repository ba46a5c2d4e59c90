"""``benchmarkingjob:`` and everything it refers to, read and checked in one go."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, field_validator

from ianvs.grammar.algorithm import OTHER_HYPERPARAMETERS, Algorithm, Module
from ianvs.grammar.locate import find, locate
from ianvs.grammar.rank import RankConfig
from ianvs.grammar.reading import Notes, Section, read_yaml, section_of, shown, validated
from ianvs.grammar.testenv import FORMATS, METADATA, DatasetConfig, MetricConfig, TestEnv
from sedna.common.errors import SpecError

_DOTTED = re.compile(r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")
_S = TypeVar("_S", Module, MetricConfig)


class TestObject(Section):
    """A named algorithm file."""

    __test__ = False  # not a test class

    name: str = ""
    url: str


class TestObjects(Section):
    """What is compared."""

    __test__ = False  # not a test class

    type: Literal["algorithms"]
    algorithms: tuple[TestObject, ...] = Field(min_length=1)


class BenchmarkingJob(Section):
    """The job file itself."""

    name: str = ""
    workspace: str = "./workspace"
    testenv: str
    test_object: TestObjects
    rank: RankConfig
    seeds: tuple[int, ...] = Field(default=(), description="ours: every test case runs once for each seed")
    seed_parameter: str = Field(default="", description="ours: keyword of the basemodel that gets the seed")
    simulation: dict[str, Any] | None = None

    @field_validator("rank", mode="before")
    @classmethod
    def _no_rank(cls, value: Any) -> Any:
        return {} if value is None else value

    @field_validator("name", "workspace")
    @classmethod
    def _no_null(cls, value: str) -> str:
        if "\0" in value:
            raise ValueError("holds a null character")
        return value

    @field_validator("seeds")
    @classmethod
    def _distinct(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds) or any(seed < 0 for seed in seeds):
            raise ValueError("distinct integers from 0 on, such as [0, 1, 2]")
        return seeds

    @field_validator("simulation")
    @classmethod
    def _no_simulation(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            raise ValueError("clusters are not simulated: test cases run in processes of this machine; remove the key")
        return value


class Benchmark(Section):
    """A whole benchmark: all paths point to existing files, all references are resolved."""

    file: str
    job: BenchmarkingJob
    testenv: TestEnv
    algorithms: tuple[Algorithm, ...]
    files: tuple[str, ...] = Field(description="every yaml file that was read")
    notes: tuple[str, ...] = ()

    @property
    def workspace(self) -> str:
        """Folder of the job's results, as configured."""
        return os.path.join(self.job.workspace, self.job.name)  # noqa: PTH118 - keeps "./", as the url column shows it


def load_benchmark(path: str) -> Benchmark:
    """Read a job file and all that it names.

    Raises:
        SpecError, NotFoundError: with file, key path, value and what is allowed.
    """
    notes = Notes()
    job = validated(BenchmarkingJob, section_of(path, "benchmarkingjob", notes), path, "benchmarkingjob", notes)
    testenv_file = locate(job.testenv, path, "benchmarkingjob.testenv", notes)
    testenv = _testenv(testenv_file, notes)
    files = [path, testenv_file]
    algorithms = []
    for number, entry in enumerate(job.test_object.algorithms):
        at = f"benchmarkingjob.test_object.algorithms[{number}].url"
        file = locate(entry.url, path, at, notes)
        algorithms.append(_algorithm(entry.name, file, notes))
        files.append(file)
    _usable_names(algorithms, path)
    _data_for_all(testenv, testenv_file, algorithms)
    return Benchmark(
        file=path,
        job=job,
        testenv=testenv,
        algorithms=tuple(algorithms),
        files=tuple(dict.fromkeys(files)),
        notes=tuple(notes.lines),
    )


def _data_for_all(testenv: TestEnv, file: str, algorithms: list[Algorithm]) -> None:
    """Lifelong learning runs over a task set, everything else over train and test data."""
    for algorithm in algorithms:
        lifelong = algorithm.paradigm_type == "lifelonglearning"
        if lifelong and testenv.tasks is None:
            raise SpecError(
                f"testenv.tasks is missing: {algorithm.name!r} is lifelonglearning, which runs over task sets",
                where=file,
                hint="tasks: {config: a configuration of sedna.algorithms.continual}",
            )
        for part, url in (("train", testenv.dataset.train), ("test", testenv.dataset.test)):
            if not lifelong and not url:
                raise SpecError(
                    f"testenv.dataset has no {part} data",
                    where=file,
                    hint=f"{part}_index (txt, csv, json), {part}_data (jsonl) or {part}_data_info ({METADATA})",
                )


def _usable_names(algorithms: list[Algorithm], path: str) -> None:
    """Names are folders of the workspace. Telling algorithms apart is the user's own matter."""
    for algorithm in algorithms:
        if not algorithm.name or algorithm.name in (".", "..") or "/" in algorithm.name:
            raise SpecError(
                f"algorithm name {algorithm.name!r}: it becomes a folder of the workspace",
                where=f"{path}: benchmarkingjob.test_object.algorithms",
                hint="a name without '/'",
            )


def _testenv(file: str, notes: Notes) -> TestEnv:
    testenv = validated(TestEnv, section_of(file, "testenv", notes), file, "testenv", notes)
    metrics = tuple(
        _with_code(metric, file, f"testenv.metrics[{number}].url", notes)
        for number, metric in enumerate(testenv.metrics)
    )
    judge = testenv.model_eval
    judge = judge.model_copy(
        update={"model_metric": _with_code(judge.model_metric, file, "testenv.model_eval.model_metric.url", notes)}
    )
    dataset = _dataset(testenv.dataset, file, notes)
    tasks = testenv.tasks
    if tasks is not None and tasks.config.endswith((".yaml", ".yml")):
        tasks = tasks.model_copy(update={"config": locate(tasks.config, file, "testenv.tasks.config", notes)})
    return testenv.model_copy(update={"metrics": metrics, "model_eval": judge, "dataset": dataset, "tasks": tasks})


def _dataset(dataset: DatasetConfig, file: str, notes: Notes) -> DatasetConfig:
    found: dict[str, str] = {}
    for key in DatasetConfig.model_fields:
        url = getattr(dataset, key)
        if not url or key in ("label", "label_tokens"):
            continue
        at = f"testenv.dataset.{key}"
        if Path(url).suffix[1:] not in FORMATS:
            raise SpecError(f"{at} = {url!r}: unknown format", where=file, hint=f"one of: {', '.join(FORMATS)}")
        if key.endswith("data_info") and Path(url).name != METADATA:
            raise SpecError(f"{at} = {url!r}", where=file, hint=f"a file called {METADATA}")
        found[key] = locate(url, file, at, notes)
    return dataset.model_copy(update=found)


def _with_code(part: _S, file: str, at: str, notes: Notes) -> _S:
    """The same part with the path of its python file; dotted module names stay as they are."""
    if not part.url:
        return part
    if not Path(part.url).exists() and _DOTTED.match(part.url) and not part.url.endswith(".py"):
        return part
    return part.model_copy(update={"url": locate(part.url, file, at, notes)})


def _algorithm(name: str, file: str, notes: Notes) -> Algorithm:
    section = section_of(file, "algorithm", notes)
    algorithm = validated(Algorithm, {"name": name, **section}, file, "algorithm", notes)
    modules = tuple(
        _module(module, file, f"algorithm.modules[{n}]", notes) for n, module in enumerate(algorithm.modules)
    )
    packages = tuple(
        package.model_copy(update={"url": locate(package.url, file, f"algorithm.third_party_packages[{n}].url", notes)})
        for n, package in enumerate(algorithm.third_party_packages)
    )
    initial = algorithm.initial_model_url
    if initial:
        found = find(initial, file, "algorithm.initial_model_url", notes)
        if found is None:
            notes.add(f"{file}: algorithm.initial_model_url = {initial!r} does not exist; it is passed on as it is")
        initial = found or initial
    return algorithm.model_copy(
        update={"modules": modules, "third_party_packages": packages, "initial_model_url": initial}
    )


def _module(module: Module, file: str, at: str, notes: Notes) -> Module:
    base: dict[str, Any] = {}
    for url in module.hyperparameters.get(OTHER_HYPERPARAMETERS, ()):
        where = f"{at}.hyperparameters.{OTHER_HYPERPARAMETERS}"
        if not isinstance(url, str):
            raise SpecError(f"{where} = {shown(url)}", where=file, hint="paths of yaml files")
        path = locate(url, file, where, notes)
        values = read_yaml(path, notes)
        if not isinstance(values, dict):
            raise SpecError(f"is {shown(values)}, not a mapping of hyper-parameters", where=path, hint="name: value")
        base.update({str(key): value for key, value in values.items()})
    return _with_code(module, file, f"{at}.url", notes).model_copy(update={"base_hyperparameters": base})
