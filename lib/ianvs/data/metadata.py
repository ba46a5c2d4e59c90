"""``metadata.json`` beside ``data.jsonl``: questions and answers with a description of the set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ianvs.data.index import read_lines
from sedna.common.errors import DataError
from sedna.datasources import BaseDataSource


class JSONMetaDataParse(BaseDataSource):
    """``x`` = prompt (if any) and query, ``y`` = response; the rest of the rows as lists.

    ``need_other_info`` tells a paradigm to hand the whole source to ``predict``.
    """

    need_other_info = True

    def parse(self, *args: Any, **_kwargs: Any) -> None:
        """Read a ``metadata.json`` and the rows beside it.

        Raises:
            DataError: a file or a key is missing; the message names file, line and key.
        """
        for url in args:
            self._describe(url)
            rows_file = str(Path(url).with_name("data.jsonl"))
            rows = [
                _row(line, f"{rows_file}:{line_number}") for line_number, line in enumerate(read_lines(rows_file), 1)
            ]
            self.x = np.array([row.get("prompt", "") + row["query"] for row in rows])
            self.y = np.array([row["response"] for row in rows])
            self.explanation = [row.get("explanation", "") for row in rows]
            self.judge_prompts = [row.get("judge_prompts", row.get("judge_prompt", "")) for row in rows]
            self.level_3 = [row["level_3_dim"] for row in rows]
            self.level_4 = [row["level_4_dim"] for row in rows]

    def _describe(self, url: str) -> None:
        try:
            described = json.loads(Path(url).read_text(encoding="utf-8"))
            self.dataset_name = described["dataset"] if "dataset" in described else described["dataset_name"]
            self.description = described["description"]
            self.level_1_dim = described["level_1_dim"]
            self.level_2_dim = described["level_2_dim"]
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DataError(
                f"is no description of a data set: {type(error).__name__}: {error}",
                where=url,
                hint="a JSON object with dataset, description, level_1_dim, level_2_dim",
            ) from error
        self.level_3_dim = described.get("level_3_dim")
        self.level_4_dim = described.get("level_4_dim")


def _row(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"no JSON: {error}", where=where) from error
    needed = ("query", "response", "level_3_dim", "level_4_dim")
    if not isinstance(row, dict) or (missing := [key for key in needed if key not in row]):
        lacking = ", ".join(missing) if isinstance(row, dict) else type(row).__name__
        raise DataError(f"lacks {lacking}", where=where, hint=f"keys: {', '.join(needed)}")
    return row
