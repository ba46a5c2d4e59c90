"""Orders with everything that they name in a folder store: three pictures to train on, two to evaluate on, models."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from sedna.common.types import Annotation, Box, JobKey, Picked, sample_id
from sedna.core.staging.order import Kind, ModelRole, OrderedModel, UnlabelledSample, WorkOrder, unlabelled_lines
from sedna.loop.spec import Algorithm, Limits
from sedna.store import FolderStore
from sedna.store.datasets import DatasetEntry, DatasetPart, write_dataset
from sedna.store.file_sets import StoredFile
from sedna.store.layout import checkpoints_prefix, input_key, sample_key

JOB = JobKey(name="pcb")

ALGORITHM = """
import json, pathlib, time
from sedna.common.class_factory import ClassFactory, ClassType

@ClassFactory.register(ClassType.GENERAL, alias="Counter")
class Counter:
    model_format = "json"

    def __init__(self, pause="0", class_names=()):
        self.pause = float(pause)

    def load(self, model_url):
        self.before = pathlib.Path(model_url).read_text()

    def train(self, train_data, checkpoint_dir=None, progress=None, **kwargs):
        path = pathlib.Path(checkpoint_dir) / "step.txt"
        done = int(path.read_text()) if path.exists() else 0
        for step in range(done, 4):
            time.sleep(self.pause)
            path.with_suffix(".new").write_text(str(step + 1))
            path.with_suffix(".new").replace(path)
            progress({"iteration": step + 1, "max_iteration": 4})
        self.made = {"samples": sorted(pathlib.Path(x).stem for x in train_data.x), "before": self.before}
        return {"loss": 0.5}

    def save(self, model_url):
        pathlib.Path(model_url).write_text(json.dumps(self.made))
        pathlib.Path(model_url).with_name("extra.bin").write_bytes(b"e" * 300_000)
        return model_url

    def evaluate(self, data, model_path=None, **kwargs):
        rows = [{"sample": pathlib.Path(x).stem, "value": len(pathlib.Path(model_path).read_text())} for x in data.x]
        return {"value": 1.0, "per_sample": rows}
"""
"""A user's algorithm: four steps of ``pause`` seconds, each with a checkpoint; it saves what it was given."""


@functools.cache
def picture(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("L", (8, 8), level).save(out, "PNG")
    return out.getvalue()


@dataclass
class Orders:
    """Makes orders. ``levels`` of grey: those of a part of the dataset are told apart by them."""

    folder: Path

    def __post_init__(self) -> None:
        self.store = FolderStore(self.folder / "store")
        levels = {DatasetPart.TRAIN: (10, 20, 30), DatasetPart.EVAL: (40,), DatasetPart.HOLDOUT: (50,)}
        entries = [self._entry(part, level) for part, found in levels.items() for level in found]
        self.dataset = write_dataset(self.store, JOB, 1, None, entries, class_names=("good", "bad"))

    def _entry(self, part: DatasetPart, level: int) -> DatasetEntry:
        boxes = () if level == 30 else (Box(x1=1, y1=1, x2=5, y2=5, label=1),)
        return DatasetEntry(
            sample_id=self.sample(level),
            extension="png",
            part=part,
            annotation=Annotation(boxes=boxes),
            picked=Picked.HARD,
            new=True,
            round=1,
        )

    def sample(self, level: int) -> str:
        """Put a picture into the store; returns its id."""
        found = sample_id(picture(level))
        self.store.put(sample_key(JOB, found, "png"), picture(level))
        return found

    def file(self, name: str, data: bytes) -> StoredFile:
        """A file in the store."""
        digest = sample_id(data)
        key = input_key(JOB, digest, name)
        self.store.put(key, data)
        return StoredFile(name=name, sha256=digest, size=len(data), key=key)

    def model(self, role: ModelRole) -> OrderedModel:
        """A model of two files, of which one is to be opened."""
        files = (self.file("net.bin", f"weights of the {role}".encode()), self.file("more/notes.txt", b"notes"))
        return OrderedModel(role=role, entry="net.bin", files=files)

    def make(self, kind: Kind = "train", *, code: str | None = None, attempt: int = 1, **changes: Any) -> WorkOrder:
        """An order, written to the store.

        Args:
            code: the Python program of its template; None = the built-in worker with an algorithm of ``changes``.
        """
        roles: tuple[ModelRole, ...] = ("base",) if kind == "train" else ("candidate", "champion")
        fields: dict[str, Any] = {
            "worker": f"{kind}-worker-{attempt}",
            "job": JOB,
            "job_created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "round": 1,
            "attempt": attempt,
            "kind": kind,
            "dataset": self.dataset,
            "history": 5,
            "original_dataset_url": "file:///data/boards/index.txt",
            "models": tuple(self.model(role) for role in roles),
            "template": None if code is None else {"spec": {"containers": [{"args": ["-c", code]}]}},
            "class_names": ("good", "bad"),
            "checkpoints": checkpoints_prefix(JOB, 1, 1) if kind == "train" else None,
            "limits": Limits(timeout_seconds=60),
        }
        order = WorkOrder(**(fields | changes))
        self.store.put(order.key, order.model_dump_json().encode())
        return order

    def unlabelled(self, *levels: int) -> StoredFile:
        """A list of samples without a label."""
        samples = [UnlabelledSample(sample_id=self.sample(level), extension="png") for level in levels]
        return self.file("unlabelled.jsonl", unlabelled_lines(samples))

    def algorithm(self, path: Path, name: str, **parameters: Any) -> dict[str, Any]:
        """The changes that make an order of a user's class in the file ``path``."""
        module = self.file(path.name, path.read_bytes())
        return {"algorithm": Algorithm(name=name, module=str(path), parameters=parameters), "module": module}
