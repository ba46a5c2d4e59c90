"""A pydantic `ValidationError` in the words of our own errors."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

from pydantic import ValidationError

from sedna.common.errors import SednaError

__all__ = ["Fault", "as_error", "first_fault"]

_Error = TypeVar("_Error", bound=SednaError)


class Fault(NamedTuple):
    """One thing that validation found: the key path ("spec.epochs"; "" = the whole), what is wrong, what was given."""

    path: str
    message: str
    given: Any

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def first_fault(error: ValidationError) -> Fault:
    """The first fault of a validation: a person mends one at a time, and the later ones often follow from it."""
    entry = error.errors(include_url=False, include_context=False)[0]
    message = entry["msg"].removeprefix("Value error, ")  # pydantic's word before the text of our own validators
    return Fault(".".join(str(part) for part in entry["loc"]), message, entry["input"])


def as_error(kind: type[_Error], error: ValidationError, where: str, *, what: str = "", hint: str = "") -> _Error:
    """An error of ours that says what the first fault is.

    Args:
        where: file, key path or name of what was validated.
        what: how the message begins, such as "the report cannot be read".
    """
    fault = first_fault(error)
    return kind(f"{what}: {fault}" if what else str(fault), where=where, hint=hint)
