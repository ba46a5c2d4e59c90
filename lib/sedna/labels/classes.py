"""Which label a class of a file stands for, by its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

__all__ = ["NO_CLASSES", "ClassNames"]

_SHOWN = 20


@dataclass
class ClassNames:
    """The classes of a job; a label is a position among them.

    A job that names none learns its classes from the first file that names any, and keeps them: a later file with
    another order is mapped by name, and what it adds comes at the end.

    Attributes:
        names: the classes known so far.
        is_open: whether files may add classes; closed = the job's description has named them all.
    """

    names: list[str] = field(default_factory=list)
    is_open: bool = True

    @classmethod
    def of(cls, wanted: Sequence[str], found: Sequence[str] = ()) -> ClassNames:
        """The classes that a description names; where it names none, those that earlier files have brought."""
        return cls(list(wanted), is_open=False) if wanted else cls(list(found))

    def learn(self, names: Iterable[str]) -> None:
        """Take over the classes of a file, in its order; nothing where the job has named its own."""
        if self.is_open:
            self.names.extend(dict.fromkeys(name for name in names if name not in self.names))

    def label(self, name: str) -> int | None:
        """The label of a class, or None where it has none."""
        return self.names.index(name) if name in self.names else None

    @property
    def hint(self) -> str:
        """What would be right in the place of an unknown class."""
        more = f" and {len(self.names) - _SHOWN} more" if len(self.names) > _SHOWN else ""
        known = f"the classes are {', '.join(self.names[:_SHOWN])}{more}" if self.names else "there are no classes"
        return f"{known}; rename it in the file, or add it at the end of the job's classNames"


NO_CLASSES = ClassNames(is_open=False)
"""Where labels are numbers, and no name means anything."""
