"""How far a worker is: the newest line of its progress file."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_TAIL_BYTES = 8192
"""More than any line; only the end of the file is read."""


class Progress(BaseModel):
    """One report of a training worker; algorithms may say more, which is ignored here."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    iteration: int = Field(ge=0)
    max_iteration: int = Field(ge=0)
    loss: float | None = None
    eta_seconds: float | None = None
    note: str = ""


def read_progress(path: Path) -> Progress | None:
    """The newest complete report in a worker's progress file; None while there is none.

    A half-written last line (the worker is writing, or was killed) is passed over.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            return Progress.model_validate_json(line)
        except ValidationError:
            continue
    return None
