"""Every mistake of one description at once, also those that a first one would hide.

pydantic looks at an object as a whole only when each of its parts is right. Here what is wrong is taken out, and what
is left is looked at again.
"""

from __future__ import annotations

import copy
from typing import Any

from pydantic import BaseModel, ValidationError

from globalmanager.api.key_paths import Location, Mistake, as_mistake

__all__ = ["every_mistake"]

_MOST_LOOKS = 8
"""Each look goes one object further out; a job is six deep."""


def every_mistake(model: type[BaseModel], content: dict[str, Any], error: ValidationError) -> tuple[list[Mistake], Any]:
    """What is wrong with ``content``, which ``model`` has refused with ``error``.

    Returns:
        The mistakes, and ``content`` without the values that are wrong in it; objects stay, for what else they say.
    """
    left, right_parts = copy.deepcopy(content), copy.deepcopy(content)
    mistakes: list[Mistake] = []
    told: set[tuple[Location, str]] = set()
    gone: list[Location] = []
    problem: ValidationError | None = error
    for _ in range(_MOST_LOOKS):
        if problem is None:
            break
        before = len(told)
        for entry in problem.errors(include_url=False):
            loc = tuple(entry["loc"])
            # What speaks of an object that has lost a part may only speak of the loss.
            if (loc, entry["type"]) in told or any(lost[: len(loc)] == loc for lost in gone):
                continue
            told.add((loc, entry["type"]))
            mistakes.append(as_mistake(model, entry))
            taken = _take_out(left, loc)
            if not isinstance(entry["input"], dict):
                _take_out(right_parts, loc)
            # An unknown key is no part of anything: without it all else means the same.
            if entry["type"] != "extra_forbidden":
                gone.append(loc if entry["type"] == "missing" else taken)
        if len(told) == before:
            break
        problem = _refusal(model, left)
    return mistakes, right_parts


def _refusal(model: type[BaseModel], content: Any) -> ValidationError | None:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return error
    return None


def _take_out(content: Any, loc: Location) -> Location:
    """Take the deepest part of ``loc`` that is there out of its object; returns where that was.

    A member of a list stands for the whole list, whose other members would otherwise move.
    """
    at: list[int | str] = []
    holder: Any = None
    here = content
    for part in loc:
        if not (isinstance(here, dict) and part in here):
            break  # a missing key, a member of a list, or a word of pydantic's that stands for a branch of a union
        holder, here = here, here[part]
        at.append(part)
    # A missing key leaves its object as it is: that may have other parts to look at.
    if holder is not None and (len(at) == len(loc) or not isinstance(here, dict)):
        del holder[at[-1]]
    return tuple(at)
