"""JSON lines: one sample a line, as an object."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sedna.common.errors import DataError
from sedna.datasources.base import BaseDataSource, as_array

__all__ = ["JsonlDataParse"]


class JsonlDataParse(BaseDataSource):
    """Reads lines such as ``{"x": "img.jpg", "y": 1}``.

    ``func`` gets each object and answers the object to use. Blank lines are no samples. For ``data_type`` "test" ``y``
    stays empty.
    """

    def __init__(
        self, data_type: str = "train", func: Callable[[dict[str, Any]], dict[str, Any]] | str | None = None
    ) -> None:
        super().__init__(data_type=data_type, func=func)

    def parse(self, *args: Any, x: str = "x", y: str = "y", use_raw: bool = False, **_kwargs: Any) -> None:
        """Read files, one after the other.

        Args:
            args: paths; empty ones are left out.
            x: key of the sample; a line without it is an error.
            y: key of the label; None where a line has none.
            use_raw: ``x`` gets each whole object, ``y`` stays empty.

        Raises:
            NotFoundError: a file is missing.
            DataError: a line is no JSON object, or lacks the key; the message names file and line.
        """
        samples: list[Any] = []
        labels: list[Any] = []
        for path in self._existing_files(args):
            with path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if not line.strip():
                        continue
                    record = self._record(line, f"{path}:{number}")
                    if use_raw:
                        samples.append(record)
                        continue
                    if x not in record:
                        raise DataError(f"no key {x!r}", where=f"{path}:{number}", hint=f"keys: {sorted(record)}")
                    samples.append(record[x])
                    if not self.is_test_data:
                        labels.append(record.get(y))
        self.x, self.y = as_array(samples), as_array(labels)

    def _record(self, line: bytes, where: str) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise DataError(f"no JSON: {error}", where=where) from error
        if self.process_func:
            record = self.process_func(record)
        if not isinstance(record, dict):
            raise DataError(f"a {type(record).__name__} is no sample", where=where, hint='{"x": ..., "y": ...}')
        return record
