"""Text index: one sample a line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sedna.common.errors import DataError
from sedna.datasources.base import BaseDataSource, as_array

__all__ = ["TxtDataParse"]


class TxtDataParse(BaseDataSource):
    """Reads lines such as ``img.jpg 1`` or ``img.jpg x1,y1,x2,y2,label x1,y1,x2,y2,label``.

    Without ``func`` a line is split at white space: ``x`` gets the first word, ``y`` the second or 0. With ``func``
    each line goes to it without its white space at the ends, and of its result ``x`` gets the first item and ``y`` the
    second or 0. Blank lines are no samples. For ``data_type`` "test" ``y`` stays empty.
    """

    def __init__(self, data_type: str = "train", func: Callable[[str], Any] | str | None = None) -> None:
        super().__init__(data_type=data_type, func=func)

    def parse(self, *args: Any, use_raw: bool = False, **_kwargs: Any) -> None:
        """Read index files, one after the other.

        Args:
            args: paths; empty ones are left out.
            use_raw: ``x`` gets each whole value (the result of ``func``, or the list of words), ``y`` stays empty.

        Raises:
            NotFoundError: a file is missing.
            DataError: a file is not UTF-8 text, or ``func`` gave nothing that has a first item.
        """
        x: list[Any] = []
        y: list[Any] = []
        for path in self._existing_files(args):
            for number, line in enumerate(_lines(path), start=1):
                # Upstream passes blank lines to func, which fails on them.
                if not line:
                    continue
                value = self.process_func(line) if self.process_func else line.split()
                if use_raw:
                    x.append(value)
                    continue
                first, second = _first_two(value, f"{path}:{number}")
                x.append(first)
                # Test data has no labels, whatever stands on its lines.
                if not self.is_test_data:
                    y.append(second)
        self.x, self.y = as_array(x), as_array(y)


def _lines(path: Path) -> list[str]:
    try:
        # utf-8-sig: editors on Windows put a mark in front, which would become part of the first path.
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 text: {error}", where=str(path)) from error


def _first_two(value: Any, where: str) -> tuple[Any, Any]:
    try:
        return value[0], value[1] if len(value) > 1 else 0
    except (TypeError, IndexError, KeyError) as error:
        raise DataError(
            f"the parser function gave {value!r}", where=where, hint="(sample, label), or parse with use_raw=True"
        ) from error
