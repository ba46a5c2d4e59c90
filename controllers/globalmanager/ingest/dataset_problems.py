"""What is wrong with the entries of a dataset, in a few sentences however many there are."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydantic import JsonValue

from sedna.common.errors import DataError

_SHOWN = 5
_KINDS = 50
"""So many kinds of problems are told apart: a file of another kind has one per line at worst."""
_REST = "something else is wrong"

_VALUE = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|[-+]?\d[\w.+-]*")
"""What tells two messages of one kind apart: quoted values, lists, numbers."""

_LONGEST = 400
"""Characters of an example: a path can be long, a value in a file longer."""

FORM = "an entry names a picture and says what it shows"


@dataclass
class _Kind:
    count: int
    example: str


@dataclass
class Problems:
    """Problems by their kind, each with its first example."""

    count: int = 0
    fresh: int = 0
    """So many of them were not known from an earlier reading."""
    _kinds: dict[str, _Kind] = field(default_factory=dict)

    def add(self, message: str, example: str, *, fresh: bool) -> None:
        """One more.

        Args:
            message: what is wrong, without the place.
            example: the same with its place and with what would be right.
        """
        self.count += 1
        self.fresh += fresh
        key = _VALUE.sub("...", message)
        if key not in self._kinds and len(self._kinds) >= _KINDS:
            key = _REST
        kind = self._kinds.setdefault(key, _Kind(0, _cut(example)))
        kind.count += 1

    def summary(self) -> str:
        """The commonest kinds with one example each."""
        shown = self._commonest()
        texts = [f"{kind.count} like {kind.example}" for kind in shown]
        rest = self.count - sum(kind.count for kind in shown)
        return "; ".join([*texts, *([f"{rest} of other kinds"] if rest else [])])

    def data(self) -> list[JsonValue]:
        """The same for programs."""
        return [{"count": kind.count, "example": kind.example} for kind in self._commonest()]

    def error(self, entries: int, where: str) -> DataError:
        """That none of the entries can be used."""
        none = "the only entry cannot" if entries == 1 else f"none of the {entries} entries can"
        return DataError(f"{none} be used: {self.summary()}", where=where, hint=FORM)

    def _commonest(self) -> list[_Kind]:
        return sorted(self._kinds.values(), key=lambda kind: -kind.count)[:_SHOWN]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
