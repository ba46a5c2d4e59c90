"""CSV tables of labels: a header, then a row an image. Column ``x`` names the image, ``y`` says what it shows.

Other columns are passed over. ``y`` is text as on a txt line; boxes hold commas, so such a value stands in quotes:

    x,y
    a.png,2
    b.png,"10,20,42,50,0 60,20,80,44,1"
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from sedna.common.errors import DataError
from sedna.labels.rows import LABEL_FORM, FileRow
from sedna.labels.source import as_text
from sedna.labels.txt import parse_parts

__all__ = ["read_csv_rows"]

_HEADER = f"the first line is the header; column x names the image, y: {LABEL_FORM}"


def read_csv_rows(data: bytes, where: str) -> Iterator[FileRow]:
    """The rows of a table, in its order; blank lines are passed over.

    Args:
        where: what messages call the file.

    Raises:
        DataError: no UTF-8, no header, a header without the two columns, or quotes that do not fit (what follows
            cannot be told apart then). A row that is wrong by itself has a ``fault``.
    """
    # newline="": quoted values may hold line ends, which only the reader can tell from ends of rows. strict: without it
    # a stray quote takes the rest of the file for one value.
    reader = csv.reader(io.StringIO(as_text(data, where), newline=""), strict=True)
    columns: tuple[int, int] | None = None
    width = 0
    try:
        for values in reader:
            # Spreadsheets write rows of separators below a table.
            if not any(value.strip() for value in values):
                continue
            at = f"{where}: line {reader.line_num}"
            if columns is None:
                columns, width = _columns([value.strip() for value in values], at), len(values)
                continue
            yield _row(values, columns, width, reader.line_num, at)
    except csv.Error as error:
        raise DataError(f"this is no CSV: {error}", where=f"{where}: line {reader.line_num}", hint=_HEADER) from error
    if columns is None:
        raise DataError("the file is empty", where=where, hint=_HEADER)


def _columns(header: Sequence[str], at: str) -> tuple[int, int]:
    for name in ("x", "y"):
        # Which of two columns of one name is meant, nobody can tell.
        if header.count(name) != 1:
            found = "no column" if name not in header else f"{header.count(name)} columns"
            raise DataError(f"{found} {name!r} among {', '.join(header)}", where=at, hint=_HEADER)
    return header.index("x"), header.index("y")


def _row(values: Sequence[str], columns: tuple[int, int], width: int, number: int, at: str) -> FileRow:
    text = ",".join(values)
    try:
        if len(values) != width:
            raise DataError(
                f"{len(values)} values under a header of {width}", where=at, hint="boxes hold commas: put y in quotes"
            )
        name = values[columns[0]].strip()
        if not name:
            raise DataError("x is empty", where=at, hint="the name of the image file")
        return FileRow(number, text, line=parse_parts(name, values[columns[1]].split(), at))
    except DataError as error:
        return FileRow(number, text, fault=error)
