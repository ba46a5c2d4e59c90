"""The boards of the first example, with a job that one round of seconds is enough for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_pcb_inspection"
HOLDOUT = 4

TINY = {
    "max_iteration": 4,
    "epochs": 0,
    "batch_size": 2,
    "crop_size": 128,
    "bf16": "off",
    "threads": 1,
    "predict_batch_size": 1,
    "cache_mb": 64,
}
"""A training of seconds. It proves the way of a model, not its worth."""


@dataclass(frozen=True)
class Board:
    """A picture and what people say that it shows."""

    sample: str
    path: Path
    boxes: tuple[tuple[int, ...], ...]

    @property
    def image(self) -> bytes:
        """The bytes of the file."""
        return self.path.read_bytes()

    def line(self, name: str) -> str:
        """Its line in a label file."""
        return " ".join((name, *(",".join(map(str, box)) for box in self.boxes)))


def stream(count: int, start: int = 0) -> list[Board]:
    """Boards of the first stream."""
    rows = json.loads((EXAMPLE / "manifest.json").read_text())["boards"]
    found = [row for row in rows if row["part"] == "stream-1"][start : start + count]
    assert len(found) == count
    return [Board(row["sha256"], EXAMPLE / row["file"], tuple(map(tuple, row["boxes"]))) for row in found]


def write_labels(path: Path, boards: Sequence[Board]) -> Path:
    """A label file as an annotation tool gives it: by sample id."""
    path.write_text("\n".join(board.line(f"{board.sample}.png") for board in boards) + "\n")
    return path


def write_job(folder: Path, **parameters: Any) -> Path:
    """``job.yaml`` of the example: rounds when asked, and a gate that always wants to see more.

    So nothing goes into service by itself, whatever a training of seconds is worth.
    """
    dataset, model, job = yaml.safe_load_all((EXAMPLE / "job.yaml").read_text())
    lines = (EXAMPLE / "holdout.txt").read_text().splitlines()[:HOLDOUT]
    (folder / "holdout.txt").write_text("".join(f"{EXAMPLE}/{line}\n" for line in lines))
    model["spec"]["url"] = str(EXAMPLE / "initial_model")
    train, deploy = job["spec"]["trainSpec"], job["spec"]["deploySpec"]
    train["algorithm"]["parameters"] |= TINY | parameters
    train["trigger"]["condition"]["threshold"] = 1000
    train["limits"] |= {"retrySeconds": 0.1}
    deploy["gate"] = {"metric": "f1", "minSamples": 1000}
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all([dataset, model, job]))
    return path
