"""What reading a benchmark finds: notes and warnings, which stop nothing, and problems, all before one is raised."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from sedna.common.errors import SednaError, SpecError

T = TypeVar("T")


class BenchmarkError(SpecError):
    """Several mistakes of a benchmark at once; a line each."""

    def __init__(self, problems: Sequence[SednaError], where: str) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"{len(problems)} mistakes{lines}", where=where)


@dataclass
class Findings:
    """Notes, warnings and problems in the order of reading, each once; decisive problems come first."""

    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _decisive: list[SednaError] = field(default_factory=list)
    _others: list[SednaError] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Something that a person should know, and that stops nothing."""
        if line not in self.notes:
            self.notes.append(line)

    def warn(self, line: str) -> None:
        """What upstream tolerates as well, and what is a mistake as a rule."""
        if line not in self.warnings:
            self.warnings.append(line)

    def problem(self, error: SednaError, *, decisive: bool = False) -> None:
        """A mistake.

        Args:
            decisive: mending anything else is in vain as long as this stands, so it is shown first.
        """
        if str(error) not in map(str, self.problems):  # two entries may name the same file
            (self._decisive if decisive else self._others).append(error)

    def attempt(self, call: Callable[[], T]) -> T | None:
        """What ``call`` returns; None if it raises one of our errors, which is kept as a problem."""
        try:
            return call()
        except SednaError as error:
            self.problem(error)
            return None

    @property
    def problems(self) -> tuple[SednaError, ...]:
        """Every mistake, the decisive ones first."""
        return (*self._decisive, *self._others)

    def raise_problems(self, where: str) -> None:
        """Nothing, if there is no problem.

        Raises:
            SednaError: the one problem there is.
            BenchmarkError: all of several problems.
        """
        if len(self.problems) == 1:
            raise self.problems[0]
        if self.problems:
            raise BenchmarkError(self.problems, where)
