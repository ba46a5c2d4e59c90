"""Data on standard output: tables for people, JSON and YAML for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from globalmanager.cli.options import Format

__all__ = ["Column", "field", "print_data", "print_note", "print_secret", "print_table", "short_id", "time_of"]

_PIPE_WIDTH = 10_000


@dataclass(frozen=True)
class Column:
    """A column: its header, and how to read its text from an item."""

    header: str
    read: Callable[[Any], object]


def field(path: str) -> Callable[[Any], object]:
    """Reads ``a.b.c`` from nested objects; nothing where a part is missing."""

    def read(item: Any) -> object:
        for part in path.split("."):
            item = item.get(part) if isinstance(item, dict) else None
        return item

    return read


def time_of(path: str) -> Callable[[Any], object]:
    """Reads a time, to the second, in UTC."""
    read = field(path)

    def text(item: Any) -> object:
        value = read(item)
        return value[:19].replace("T", " ") if isinstance(value, str) else None

    return text


def short_id(path: str) -> Callable[[Any], object]:
    """Reads the first 12 characters of a sample id."""
    read = field(path)
    return lambda item: str(read(item) or "")[:12]


def print_data(data: Any, output: Format, columns: Sequence[Column], *, empty: str = "nothing found") -> None:
    """Print a list or one object. Tables have ``columns``; JSON and YAML have everything."""
    if output is Format.JSON:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    elif output is Format.YAML:
        import yaml

        sys.stdout.write(yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=110))
    else:
        print_table(data if isinstance(data, list) else [data], columns, empty=empty)


def print_note(where: str, note: str) -> None:
    """Print a note on standard error: what is valid, and may still surprise. Output and exit code do not change."""
    sys.stderr.write(f"note: {where}: {note}\n")


def print_secret(data: Any, output: Format, name: str) -> None:
    """Print a new token alone on standard output, so that ``> FILE`` makes a token file; JSON and YAML have all."""
    if output is not Format.TABLE:
        print_data(data, output, ())
        return
    # Not on standard output: with `> FILE` that line would become part of the token.
    sys.stderr.write(f"the token of {name}, which cannot be shown again:\n")
    sys.stdout.write(f"{data['token']}\n")


def print_table(items: Sequence[Any], columns: Sequence[Column], *, empty: str = "nothing found") -> None:
    """A table; a note on standard error when there is nothing, so that a pipe stays empty."""
    if not items:
        sys.stderr.write(f"{empty}\n")
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # On a pipe a row stays one line, however long it is: scripts count lines.
    terminal = sys.stdout.isatty()
    table = Table(
        box=None, pad_edge=False, show_edge=False, padding=(0, 3, 0, 0), header_style="bold" if terminal else ""
    )
    for column in columns:
        table.add_column(column.header, overflow="fold", no_wrap=not terminal)
    for item in items:
        # Text: brackets in a reason or an error would be taken for markup.
        table.add_row(*(Text(_cell(column.read(item))) for column in columns))
    console = Console(file=sys.stdout, width=None if terminal else _PIPE_WIDTH, no_color=not terminal, highlight=False)
    # Through a string: rich pads every line with blanks, which scripts would have to strip.
    with console.capture() as captured:
        console.print(table)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _cell(value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
