"""A check that the file of a job's algorithm exists and registers the algorithm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from globalmanager.api.key_paths import Location, Mistake, shown
from globalmanager.runtimes.trial import try_algorithm
from sedna.loop.spec import Algorithm

__all__ = ["ModuleCheck"]


@dataclass(frozen=True)
class ModuleCheck:
    """How ``algorithm.module`` is looked at.

    Args:
        folder: where relative paths begin; None = that is not known.
        tried: whether the file is loaded, in a process of its own, which costs seconds. Otherwise only a relative path
            is looked for: an absolute one may be of the machine that runs the service.
    """

    folder: Path | None = None
    tried: bool = True

    def mistakes(self, loc: Location, algorithm: Algorithm, class_names: Sequence[str]) -> Iterator[Mistake]:
        """What is wrong with the module of an algorithm that has one; ``loc``: where the algorithm stands."""
        assert algorithm.module is not None, "an algorithm with a module"
        path = Path(algorithm.module)
        at = (*loc, "module")
        if not path.is_absolute():
            if self.folder is None:
                hint = "an absolute path on the machine that runs the service"
                yield Mistake(at, f"{shown(algorithm.module)} is relative, and to what is not known", hint)
                return
            path = (self.folder / path).resolve()
        # The file may be on the machine of the service only.
        elif not self.tried:
            return
        if path.suffix != ".py":
            yield Mistake(at, f"{path} is no Python file", "a path that ends in .py")
        elif not path.is_file():
            begins = f"relative paths begin at {self.folder}; " if self.folder is not None else ""
            yield Mistake(at, f"there is no file {path}", f"{begins}the file that registers {shown(algorithm.name)}")
        elif self.tried:
            refusal = try_algorithm(algorithm, str(path), class_names)
            if refusal is not None:
                yield Mistake((*loc, refusal.key), refusal.message, refusal.hint)
