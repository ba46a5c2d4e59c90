"""A pydantic `ValidationError` in the words of our own errors."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from sedna.common.errors import SednaError

__all__ = ["Fault", "as_error", "every_fault", "first_fault"]

_Error = TypeVar("_Error", bound=SednaError)


class Fault(NamedTuple):
    """One finding: the key path ("spec.epochs", "" for the whole), what is wrong, and what was given.

    ``kind`` is pydantic's name of the rule ("missing", "int_type"), ``keys`` the path in parts: keys and positions.
    """

    path: str
    message: str
    given: Any
    kind: str = ""
    keys: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def every_fault(error: ValidationError) -> tuple[Fault, ...]:
    """Every fault of a validation, in the order of the keys; for a reader who mends a whole file at once."""
    return tuple(
        Fault(".".join(map(str, entry["loc"])), _said(entry["msg"]), entry["input"], entry["type"], entry["loc"])
        for entry in error.errors(include_url=False, include_context=False)
    )


def _said(message: str) -> str:
    """Without pydantic's word before the text of our own validators."""
    return message.removeprefix("Value error, ")


def first_fault(error: ValidationError) -> Fault:
    """The first fault of a validation: a person mends one at a time, and the later ones often follow from it."""
    return every_fault(error)[0]


def as_error(kind: type[_Error], error: ValidationError, where: str, *, what: str = "", hint: str = "") -> _Error:
    """An error of ours that says what the first fault is.

    Args:
        where: file, key path or name of what was validated.
        what: how the message begins, such as "the report cannot be read".
    """
    fault = first_fault(error)
    return kind(f"{what}: {fault}" if what else str(fault), where=where, hint=hint)
