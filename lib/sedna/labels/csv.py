"""CSV tables of labels: a header, then a row an image. Column ``x`` names the image, ``y`` says what it shows.

Other columns are passed over. ``y`` is text as on a txt line; boxes hold commas, so such a value stands in quotes:

    x,y
    a.png,2
    b.png,"10,20,42,50,0 60,20,80,44,1"

Spreadsheets write semicolons or tabs between the columns where their language has a decimal comma, and UTF-16 or the
Windows code page: such a table is read as well. Which character separates is what its header shows.
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

_SEPARATORS = ",;\t|"
_WINDOWS = "cp1252"
"""What Excel writes as "CSV" in western languages, without saying so. Only names of files can hold such letters."""

_HEADER = f"the first line is the header; column x names the image, y: {LABEL_FORM}"


def read_csv_rows(data: bytes, where: str) -> Iterator[FileRow]:
    """The rows of a table, in its order; blank lines are passed over.

    Args:
        where: what messages call the file.

    Raises:
        DataError: no text, no header, a header without the two columns, or quotes that do not fit (what follows
            cannot be told apart then). A row that is wrong by itself has a ``fault``.
    """
    # newline="": quoted values may hold line ends, which only the reader can tell from ends of rows. strict: without it
    # a stray quote takes the rest of the file for one value.
    text = as_text(data, where, otherwise=_WINDOWS)
    text, separator, skipped = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: tuple[int, int] | None = None
    width = 0
    try:
        for values in reader:
            # Spreadsheets write rows of separators below a table.
            if not any(value.strip() for value in values):
                continue
            number = reader.line_num + skipped
            at = f"{where}: line {number}"
            if columns is None:
                columns, width = _columns([value.strip() for value in values], at), len(values)
                continue
            yield _row(values, columns, width, number, at)
    except csv.Error as error:
        raise DataError(
            f"this is no CSV: {error}", where=f"{where}: line {reader.line_num + skipped}", hint=_HEADER
        ) from error
    if columns is None:
        raise DataError("the file is empty", where=where, hint=_HEADER)


def _separator(text: str) -> tuple[str, str, int]:
    """The table, the character between its columns, and how many lines were taken from its top.

    Excel's own ``sep=;`` says it; else it is the character that makes the columns x and y of the header.
    """
    first, _, rest = text.partition("\n")
    said = first.strip().removeprefix("sep=")
    if first.startswith("sep=") and len(said) <= 1:
        return rest, said or "\t", 1
    header = next((line for line in text.splitlines() if line.strip(" \t;,|")), "")
    for separator in _SEPARATORS:
        names = [name.strip().strip('"').strip() for name in header.split(separator)]
        if "x" in names and "y" in names:
            return text, separator, 0
    return text, ",", 0


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
