"""Rows of label files that have one row a sample."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.labels.items import LabelItem, faulty, said
from sedna.labels.txt import TxtLine

__all__ = ["LABEL_FORM", "UNSAID", "FileRow", "row_items", "shown"]

_LONGEST_VALUE = 80

LABEL_FORM = 'boxes "x1,y1,x2,y2,label ..." in pixels, or one whole-image label, or nothing: the image shows nothing'
"""What the column or key ``y`` may hold as text; the same as follows the name on a txt line."""

UNSAID = ("unlabelled", "excluded")
"""Words of the column or key ``state`` for an image of which the row says nothing: it is passed over."""


@dataclass(frozen=True)
class FileRow:
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


def row_items(rows: Iterable[FileRow], where: str) -> Iterator[LabelItem]:
    """Rows as items. Their identity is what they say: another column, or another spelling of a number, is no news."""
    for row in rows:
        at = f"{where}: line {row.number}"
        if row.line is None:
            assert row.fault is not None, "a row has a line or a fault"
            yield faulty("", at, row.text, row.fault)
            continue
        told = repr(row.line) + "".join(f"; {fault.message}" for fault in row.line.faults)
        yield said(row.line.file_name, at, told, row.line.labels)
