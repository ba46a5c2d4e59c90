"""The rank as a table on the screen."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TextIO


def print_table(path: Path, out: TextIO | None = None) -> None:
    """Print a csv file as a table, centred, never folded: it may be read by a program."""
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    stream = out if out is not None else sys.stdout
    lines = [
        "|" + "|".join(f" {text.center(width)} " for text, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    for line in (rule, lines[0], rule, *lines[1:], rule):
        stream.write(f"{line}\n")
