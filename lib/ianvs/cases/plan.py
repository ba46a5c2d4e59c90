"""Test cases of a benchmark: which there are, and which are the same as those of an earlier run."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ianvs.grammar import AlgorithmConfig, Benchmark, Combination

VERSION_OF_RECORDS = 2
"""Goes into every key: raised when results of older records are no longer comparable."""


@dataclass(frozen=True)
class CaseId:
    """A test case within its benchmark: position of the algorithm, of the combination, and the seed."""

    algorithm: int
    combination: int
    seed: int


@dataclass(frozen=True)
class PlannedCase:
    """A test case that is to run.

    ``key`` names everything that decides its result, ``training_key`` all of that but the metrics: what was trained
    stays valid when a metric is mended.
    """

    id: CaseId
    algorithm: AlgorithmConfig
    combination: Combination
    key: str
    training_key: str
    seeded: bool = False

    @property
    def title(self) -> str:
        """For people: algorithm, the hyper-parameters that have several values, seed."""
        several = {
            (module.type, name)
            for module in self.algorithm.modules
            for name, values in module.hyperparameters.items()
            if len(values) > 1
        }
        values = [
            f"{name}={value}"
            for module in self.combination.modules
            for name, value in module.hyperparameters.items()
            if (module.type, name) in several
        ]
        return " ".join([self.algorithm.name, *values, *([f"seed={self.id.seed}"] if self.seeded else [])])


def plan(benchmark: Benchmark) -> list[PlannedCase]:
    """All test cases: algorithms in job order, combinations with the last value fastest, then seeds."""
    environment = _environment(benchmark)
    metrics = [[metric.model_dump(mode="python"), _stamp(metric.url)] for metric in benchmark.testenv.metrics]
    seeded = bool(benchmark.job.seeds)
    cases = []
    for a, algorithm in enumerate(benchmark.algorithms):
        for c, combination in enumerate(algorithm.combinations()):
            for seed in benchmark.job.seeds or (0,):
                content = _content(environment, benchmark, algorithm, combination, seed)
                key, training_key = _named({**content, "metrics": metrics}), _named(content)
                cases.append(PlannedCase(CaseId(a, c, seed), algorithm, combination, key, training_key, seeded))
    return cases


def _content(
    environment: dict[str, Any], benchmark: Benchmark, algorithm: AlgorithmConfig, combination: Combination, seed: int
) -> dict[str, Any]:
    return {
        "records": VERSION_OF_RECORDS,
        "environment": environment,
        "algorithm": algorithm.model_dump(mode="python", exclude={"modules"}, exclude_defaults=True),
        "modules": combination.model_dump(mode="python"),
        "code": {url: _stamp(url) for url in _code(algorithm)},
        "initial": _stamp(algorithm.initial_model_url),
        "seed": [seed, benchmark.job.seed_parameter],
    }


def _named(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _environment(benchmark: Benchmark) -> dict[str, Any]:
    testenv = benchmark.testenv
    data = testenv.dataset
    files = [data.train, data.test, data.holdout_index, testenv.tasks.config if testenv.tasks is not None else ""]
    files.append(testenv.model_eval.model_metric.url)
    return {
        "folder": os.getcwd(),  # noqa: PTH109 - relative paths mean what they mean here
        "testenv": testenv.model_dump(mode="python", exclude={"metrics"}, exclude_defaults=True),
        "files": {url: _stamp(url) for url in files if url},
    }


def _code(algorithm: AlgorithmConfig) -> Iterator[str]:
    """The files of an algorithm and their neighbours, which they may import."""
    urls = [module.url for module in algorithm.modules] + [package.url for package in algorithm.third_party_packages]
    for url in filter(None, urls):
        path = Path(url)
        # Which neighbours it imports is known only when it runs, so all of them count.
        yield from map(str, sorted(path.parent.glob("*.py"))) if path.is_file() else [url]


def _stamp(url: str) -> str:
    """A fingerprint: the hash of a small file, size and time of a large one, those of its files for a folder."""
    path = Path(url)
    if not url or not path.exists():
        return "absent"
    if path.is_dir():
        return "; ".join(f"{entry.name}: {_stamp(str(entry))}" for entry in sorted(path.iterdir()) if entry.is_file())
    state = path.stat()
    # Hashing gigabytes of models would take longer than the start of a job may.
    if state.st_size <= 1 << 20:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{state.st_size} bytes of {state.st_mtime_ns}"
