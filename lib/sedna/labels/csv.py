"""CSV tables of labels: a header, then a row an image. Column ``x`` names the image, ``y`` says what it shows.

``y`` is text as on a txt line; boxes hold commas, so such a value stands in quotes. Labels are numbers or names:

    x,y
    a.png,2
    b.png,"10,20,42,50,0 60,20,80,44,scratch"

A row whose column ``state`` says ``unlabelled`` or ``excluded`` says nothing about its image. Other columns are passed
over.

Spreadsheets write semicolons or tabs between the columns where their language has a decimal comma, and UTF-16 or the
Windows code page: such a table is read as well. Which character separates is what its header shows.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sedna.common.errors import DataError
from sedna.labels.class_text import learn_names
from sedna.labels.classes import NO_CLASSES, ClassNames
from sedna.labels.rows import LABEL_FORM, UNSAID, FileRow
from sedna.labels.source import as_text
from sedna.labels.txt import labels_said, parse_parts

__all__ = ["read_csv_rows"]

_SEPARATORS = ",;\t|"
_WINDOWS = "cp1252"
"""What Excel writes as "CSV" in western languages, without saying so. Only names of files can hold such letters."""

_HEADER = f"the first line is the header; column x names the image, y: {LABEL_FORM}"


@dataclass(frozen=True)
class _Columns:
    """Where the columns stand; ``width``: how many there are."""

    x: int
    y: int
    state: int | None
    width: int

    def is_unsaid(self, values: Sequence[str]) -> bool:
        """Whether a row says that nothing is said about its image."""
        return self.state is not None and self.state < len(values) and values[self.state].strip() in UNSAID


def read_csv_rows(data: bytes, where: str, classes: ClassNames = NO_CLASSES) -> Iterator[FileRow]:
    """The rows of a table, in its order; blank lines are passed over, and rows that say nothing about their image.

    Args:
        where: what messages call the file.
        classes: those that labels may name; open ones learn the names found, see `learn_names`.

    Raises:
        DataError: no text, no header, a header without the two columns, or quotes that do not fit (what follows
            cannot be told apart then). A row that is wrong by itself has a ``fault``.
    """
    columns, rows = _table(data, where)
    said = (labels_said(values[columns.y].split()) for _, values in rows if len(values) == columns.width)
    learn_names(classes, (label for labels in said for label in labels))
    for number, values in rows:
        yield _row(values, columns, classes, number, f"{where}: line {number}")


def _table(data: bytes, where: str) -> tuple[_Columns, list[tuple[int, list[str]]]]:
    """The header, and the rows that say something, each with the number of the line on which it ends."""
    # newline="": quoted values may hold line ends, which only the reader can tell from ends of rows. strict: without it
    # a stray quote takes the rest of the file for one value.
    text = as_text(data, where, otherwise=_WINDOWS)
    text, separator, skipped = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    columns: _Columns | None = None
    rows: list[tuple[int, list[str]]] = []
    try:
        for values in reader:
            # Spreadsheets write rows of separators below a table.
            if not any(value.strip() for value in values):
                continue
            number = reader.line_num + skipped
            if columns is None:
                columns = _columns([value.strip() for value in values], f"{where}: line {number}")
            elif not columns.is_unsaid(values):
                rows.append((number, values))
    except csv.Error as error:
        raise DataError(
            f"this is no CSV: {error}", where=f"{where}: line {reader.line_num + skipped}", hint=_HEADER
        ) from error
    if columns is None:
        raise DataError("the file is empty", where=where, hint=_HEADER)
    return columns, rows


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


def _columns(header: Sequence[str], at: str) -> _Columns:
    for name in ("x", "y"):
        # Which of two columns of one name is meant, nobody can tell.
        if header.count(name) != 1:
            found = "no column" if name not in header else f"{header.count(name)} columns"
            raise DataError(f"{found} {name!r} among {', '.join(header)}", where=at, hint=_HEADER)
    state = header.index("state") if header.count("state") == 1 else None
    return _Columns(header.index("x"), header.index("y"), state, len(header))


def _row(values: Sequence[str], columns: _Columns, classes: ClassNames, number: int, at: str) -> FileRow:
    text = ",".join(values)
    try:
        if len(values) != columns.width:
            raise DataError(
                f"{len(values)} values under a header of {columns.width}",
                where=at,
                hint="boxes hold commas: put y in quotes",
            )
        name = values[columns.x].strip()
        if not name:
            raise DataError("x is empty", where=at, hint="the name of the image file")
        return FileRow(number, text, line=parse_parts(name, values[columns.y].split(), at, classes))
    except DataError as error:
        return FileRow(number, text, fault=error)
