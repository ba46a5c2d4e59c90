"""An algorithm for tests of the worker: it counts samples, slowly if asked to, and goes on from its checkpoint."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError, TemporaryError


@dataclass(frozen=True)
class Progress:
    iteration: int
    loss: float


@ClassFactory.register(ClassType.GENERAL, alias="Counting")
class Counting:
    model_format = "json"

    def __init__(self, steps=3, pause=0.0, fail="", class_names=()):
        self.steps, self.pause, self.fail, self.class_names = int(steps), float(pause), fail, list(class_names)
        self.state = {"seen": 0, "base": None}

    def load(self, model_url):
        self.state = {"seen": 0, "base": json.loads(Path(model_url).read_text())["seen"]}

    def save(self, model_path):
        Path(model_path).write_text(json.dumps(self.state))

    def train(self, train_data, checkpoint_dir=None, progress=None, unlabelled_data=None):
        if self.fail:
            raise {"user": DataError, "temporary": TemporaryError, "bug": ZeroDivisionError}[self.fail]("as asked")
        checkpoint = Path(checkpoint_dir or ".") / "state.json"
        first = json.loads(checkpoint.read_text()) if checkpoint_dir and checkpoint.exists() else 0
        for step in range(first, self.steps):
            time.sleep(self.pause)
            self.state["seen"] += len(train_data)
            if checkpoint_dir:
                checkpoint.write_text(json.dumps(step + 1))
            if progress:
                progress(Progress(step + 1, float("nan") if step == 0 else 1 / (step + 1)))
        return {
            "first": first,
            "labels": train_data.y.tolist(),
            "classes": self.class_names,
            "base": self.state["base"],
            "unlabelled": len(unlabelled_data or ()),
        }

    def evaluate(self, data, model_path=None):
        self.load(model_path)
        samples = [{"sample": Path(path).stem, "tp": [1], "fp": [0], "fn": [0]} for path in data.x]
        return {"f1_macro": self.state["base"] / 100, "per_sample": samples}
