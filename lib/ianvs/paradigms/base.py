"""The input and the result of every paradigm."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ianvs.cases.checkpoints import Checkpoints
from ianvs.cases.measurements import Measurements, RoundRecord, Stopwatch
from ianvs.data import CaseDataset
from ianvs.grammar import AlgorithmConfig, Combination, ModuleChoice, TestEnv
from ianvs.usercode import UserCode
from sedna.common.errors import SpecError


class CaseProgress(Protocol):
    """Receives the progress of a test case."""

    def step(self, fraction: float, text: str) -> None:
        """``fraction`` of the test case is done (0 to 1)."""
        ...

    def round_done(self, record: RoundRecord) -> None:
        """A round's record is final."""
        ...

    def resume(self, records: Sequence[RoundRecord]) -> None:
        """Start again from these rounds of a killed process; what it reported after them is discarded."""
        ...


@dataclass(frozen=True)
class Case:
    """One test case: an algorithm with one value for each hyper-parameter, in an environment."""

    output_dir: str
    testenv: TestEnv
    algorithm: AlgorithmConfig
    combination: Combination
    dataset: CaseDataset
    code: UserCode
    progress: CaseProgress
    checkpoints: Checkpoints
    watch: Stopwatch = field(default_factory=Stopwatch)

    def module(self, module_type: str) -> ModuleChoice:
        """The module of a type.

        Raises:
            SpecError: the algorithm has none.
        """
        module = self.combination.get(module_type)
        if module is None:
            raise SpecError(
                f"algorithm {self.algorithm.name!r} has no module of type {module_type}",
                where="algorithm.modules",
                hint=f"{self.algorithm.paradigm_type} needs one",
            )
        return module


@dataclass(frozen=True)
class ParadigmResult:
    """A paradigm's answers on the test data, of any type that the metrics understand, and what was measured."""

    answers: Any
    measurements: Measurements


Paradigm = Callable[[Case], ParadigmResult]
