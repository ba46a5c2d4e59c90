"""Label files with a row a sample: what one row says, or what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.labels.txt import TxtLine

__all__ = ["LABEL_FORM", "LabelRow", "shown"]

_LONGEST_VALUE = 80

LABEL_FORM = 'boxes "x1,y1,x2,y2,label ..." in pixels, or one whole-image label, or nothing: the image shows nothing'
"""What the column or key ``y`` may hold as text; the same as follows the name on a txt line."""


@dataclass(frozen=True)
class LabelRow:
    """One row, by the number of the line on which it ends. Either ``line`` or ``fault`` is set.

    Nothing is checked against the image or the class list yet. ``text`` is the row as the file has it.
    """

    number: int
    text: str
    line: TxtLine | None = None
    fault: DataError | None = None


def shown(value: object) -> str:
    """A wrong value for a message, cut where it becomes long."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
