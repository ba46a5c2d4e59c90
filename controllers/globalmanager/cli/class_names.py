"""Classes by their names, where people read or write them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sedna.common.errors import SpecError

__all__ = ["class_number", "label_by_name", "predicted_by_name"]


def class_number(name: str, names: Sequence[str], where: str) -> int:
    """The number of a class, by its name or its number.

    Raises:
        SpecError: the job has no such class.
    """
    # The name first: a class may be called "7".
    if name in names:
        return names.index(name)
    if name.isdecimal() and (not names or int(name) < len(names)):
        return int(name)
    known = ", ".join(names) or "none; use a number"
    raise SpecError(f"the job has no class {name!r}", where=where, hint=f"classes: {known}")


def label_by_name(names: Sequence[str]) -> Callable[[Any], object]:
    """Reads what a sample shows from its row: a class, or how many boxes of each; nothing where it has no label."""

    def read(row: Any) -> object:
        if row["label"] is None:
            return None
        annotation = row["label"]["annotation"]
        if annotation["label"] is not None:
            return _named(annotation["label"], names)
        counts = Counter(_named(box["label"], names) for box in annotation["boxes"])
        return ", ".join(f"{count} {name}" for name, count in sorted(counts.items())) or "nothing there"

    return read


def predicted_by_name(names: Sequence[str]) -> Callable[[Any], object]:
    """Reads the class that the model saw from a row of the queue."""
    return lambda row: "nothing there" if row["predicted"] < 0 else _named(row["predicted"], names)


def _named(number: int, names: Sequence[str]) -> str:
    """A class for people: its name, or its number where it has none."""
    return names[number] if 0 <= number < len(names) else str(number)
