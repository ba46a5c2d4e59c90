"""What every paradigm gets and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ianvs.cases.checkpoints import Checkpoints
from ianvs.cases.measurements import Facts, RoundRecord, Stopwatch
from ianvs.data import Dataset
from ianvs.grammar import AlgorithmConfig, Combination, ModuleChoice, TestEnv
from ianvs.usercode import UserCode
from sedna.common.errors import SpecError


class Progress(Protocol):
    """Where a paradigm tells how far it is."""

    def step(self, fraction: float, text: str) -> None:
        """``fraction`` of the test case is done (0 to 1)."""
        ...

    def round_done(self, record: RoundRecord) -> None:
        """A round's record is final."""
        ...

    def go_on(self, records: Sequence[RoundRecord]) -> None:
        """An earlier process had come this far; forget what it told beyond."""
        ...


@dataclass(frozen=True)
class Case:
    """One test case: an algorithm with one value for each hyper-parameter, in an environment."""

    output_dir: str
    testenv: TestEnv
    algorithm: AlgorithmConfig
    combination: Combination
    dataset: Dataset
    code: UserCode
    progress: Progress
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
class Outcome:
    """A paradigm's answers on the test data, of any type the metrics understand, and what was observed."""

    answers: Any
    facts: Facts


Paradigm = Callable[[Case], Outcome]
