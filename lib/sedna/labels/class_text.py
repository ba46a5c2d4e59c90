"""Names of classes inside a text that is split at commas and white space.

A name stands there as it is, or percent-encoded as in an address: ``traffic%20light``. A whole number is the position
of a class and never its name, so a class called ``7`` is written ``%37``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import unquote

from sedna.labels.classes import ClassNames

__all__ = ["learn_names", "named_class", "quoted_class"]

_NUMBERS = re.compile(r"[\d.,+\-\s]*")
_UNSAFE = re.compile(r"[\s,%\x00-\x1f\x7f]")
_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


def quoted_class(name: str) -> str:
    """The name for a text: one word that is no number, and that no spreadsheet computes."""
    if _is_number(name) or name.startswith(_FORMULA):
        return _encoded(name[0]) + _UNSAFE.sub(lambda found: _encoded(found.group()), name[1:])
    return _UNSAFE.sub(lambda found: _encoded(found.group()), name)


def named_class(text: str, classes: ClassNames) -> int | None:
    """The label of a class that a text names, or None."""
    label = classes.label(text)
    return classes.label(unquote(text)) if label is None else label


def learn_names(classes: ClassNames, said: Iterable[str]) -> None:
    """Let open classes learn the names of a file, in its order; ``said``: all its labels.

    A file whose labels are numbers teaches nothing: a word among them is a slip, and not a class.
    """
    if not classes.is_open:
        return
    found: dict[str, None] = {}
    for text in said:
        if _is_number(text):
            return
        # Coordinates whose commas were lost are no name either.
        if not _NUMBERS.fullmatch(text):
            found[text if text in classes.names else unquote(text)] = None
    classes.learn(found)


def _is_number(text: str) -> bool:
    """As the readers take numbers: ``1_000`` is one to Python."""
    try:
        int(text)
    except ValueError:
        return False
    return True


def _encoded(text: str) -> str:
    # Not urllib's quote: it leaves digits and "-" as they are, which are what is meant here.
    return "".join(f"%{byte:02X}" for byte in text.encode())
