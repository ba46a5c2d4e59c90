"""``benchmarkingjob:`` and the whole benchmark that it stands for."""

from __future__ import annotations

import os
from typing import Any, Literal

from pydantic import Field, field_validator

from ianvs.grammar.algorithm import AlgorithmConfig
from ianvs.grammar.locate import ExistingPath
from ianvs.grammar.rank import RankConfig
from ianvs.grammar.section import Section
from ianvs.grammar.testenv import TestEnv


class TestObject(Section):
    """A named algorithm file."""

    __test__ = False  # not a test class

    name: str = ""
    url: ExistingPath


class TestObjects(Section):
    """What is compared."""

    __test__ = False  # not a test class

    type: Literal["algorithms"]
    algorithms: tuple[TestObject, ...] = Field(min_length=1, examples=["[{name: mine, url: ./algorithm.yaml}]"])


class BenchmarkingJob(Section):
    """The job file itself."""

    name: str = ""
    workspace: str = Field(default="./workspace", examples=["./workspace"])
    testenv: ExistingPath = Field(examples=["./testenv/testenv.yaml"])
    test_object: TestObjects = Field(examples=["{type: algorithms, algorithms: [{name: mine, url: ./algorithm.yaml}]}"])
    rank: RankConfig = Field(default=RankConfig(), examples=["{sort_by: [{f1_score: descend}]}"])
    seeds: tuple[int, ...] = Field(
        default=(), examples=["[0, 1, 2]"], description="ours: every test case runs once for each seed"
    )
    seed_parameter: str = Field(default="", description="ours: keyword of the basemodel that gets the seed")
    simulation: dict[str, Any] | None = None

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
    algorithms: tuple[AlgorithmConfig, ...]
    files: tuple[str, ...] = Field(description="every yaml file that was read")
    notes: tuple[str, ...] = ()

    @property
    def workspace(self) -> str:
        """Folder of the job's results, as configured."""
        return os.path.join(self.job.workspace, self.job.name)  # noqa: PTH118 - keeps "./", as the url column shows it
