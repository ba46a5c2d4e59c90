"""Options that many commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sedna.common.errors import SpecError

__all__ = ["Format", "FromService", "JobName", "Modules", "Output", "Token", "Url", "parse_pairs"]


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--output", help="How data is printed.")]
Url = Annotated[
    str | None,
    typer.Option("--url", envvar="SEDNA_URL", help="Address of the service.", rich_help_panel="Service"),
]
Token = Annotated[
    str | None,
    typer.Option("--token", envvar="SEDNA_TOKEN", help="Bearer token.", show_envvar=True, rich_help_panel="Service"),
]
Modules = Annotated[
    list[Path] | None,
    typer.Option("--module", metavar="FILE", help="Your Python file that registers algorithms or miners; repeatable."),
]
FromService = Annotated[
    bool,
    typer.Option(
        "--allow-module-from-service",
        help="The edge runs the Python files that its models were made with, as the service sends them.",
    ),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="How many, the newest first.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="NAME, or NAMESPACE/NAME.", show_default=False)]


def parse_pairs(pairs: list[str]) -> dict[str, object]:
    """``key=value`` options; a value that is JSON (a number, true, a list...) is read as such, else it is text.

    Raises:
        SpecError: a pair has no ``=``, or a key is given twice.
    """
    import json

    found: dict[str, object] = {}
    for pair in pairs:
        key, separator, text = pair.partition("=")
        if not separator or not key:
            raise SpecError(f"{pair!r} is not KEY=VALUE", where="--param", hint="--param epochs=5")
        # The last would win silently, and which of the two counted is seen only in the results.
        if key in found:
            raise SpecError(f"{key!r} is given twice", where="--param")
        try:
            # JSON first: epochs=5 is a number to an algorithm, and a text needs no quotes.
            found[key] = json.loads(text)
        except ValueError:
            found[key] = text
    return found
