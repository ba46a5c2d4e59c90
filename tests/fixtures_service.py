"""A whole service with a tiny algorithm: a model is a number, training adds one, and more is better."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings

ALGORITHM = '''
import json, time
from pathlib import Path

from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.GENERAL, alias="Tiny")
class Tiny:
    """A model is {"skill": n}."""

    model_format = "json"

    def __init__(self, gain=1, wait_for=None):
        self.gain, self.wait_for, self.skill = gain, wait_for, 0

    def load(self, model_url):
        self.skill = json.loads(Path(model_url).read_text())["skill"]

    def train(self, train_data, valid_data=None):
        while self.wait_for and not Path(self.wait_for).exists():
            time.sleep(0.05)
        if self.gain < 0:
            raise RuntimeError("no gain from this")
        self.skill += self.gain
        return {"samples": float(len(train_data.x))}

    def save(self, model_url):
        Path(model_url).write_text(json.dumps({"skill": self.skill}))
        return model_url

    def evaluate(self, data):
        rows = [{"sample": Path(path).stem, "value": float(self.skill)} for path in data.x]
        return {"value": float(self.skill), "per_sample": rows}
'''


class Boards:
    """Files that a job needs: images with an index, a first model, the algorithm."""

    def __init__(self, folder: Path, count: int = 8) -> None:
        self.folder = folder
        self.go = folder / "go"
        (folder / "images").mkdir(parents=True)
        lines = []
        for number in range(count):
            buffer = io.BytesIO()
            Image.new("RGB", (32, 24), (number, 1, 2)).save(buffer, "PNG")
            (folder / "images" / f"{number}.png").write_bytes(buffer.getvalue())
            lines.append(f"images/{number}.png 1,1,9,9,{number % 2}\n")
        (folder / "index.txt").write_text("".join(lines))
        (folder / "first.json").write_text(json.dumps({"skill": 1}))
        (folder / "tiny.py").write_text(ALGORITHM)

    def job(self, *, threshold: int = 1000, **parameters: Any) -> str:
        """Descriptions of the dataset, the model and the job; a high threshold waits for somebody to ask."""
        return f"""\
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {{name: boards}}
spec: {{url: {self.folder}/index.txt, format: txt}}
---
apiVersion: sedna.io/v1alpha1
kind: Model
metadata: {{name: base}}
spec: {{url: {self.folder}/first.json, format: json}}
---
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {{name: pcb}}
spec:
  dataset: {{name: boards, trainProb: 0.5}}
  initialModel: {{name: base}}
  classNames: [open, short]
  trainSpec:
    algorithm: {{name: Tiny, module: {self.folder}/tiny.py, parameters: {json.dumps(parameters)}}}
    trigger:
      checkPeriodSeconds: 1
      condition: {{operator: ">=", threshold: {threshold}, metric: num_of_samples}}
  deploySpec:
    model: {{name: base}}
    gate: {{metric: value}}
    hardExampleMining: {{name: IBT}}
"""


def eventually(read: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first true value that ``read`` gives."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s; last: {value!r}"
        time.sleep(0.05)


@pytest.fixture
def boards(tmp_path: Path) -> Boards:
    return Boards(tmp_path / "boards")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = Service(ServiceSettings(data_dir=tmp_path / "data", port=0))
    service.start()
    yield service
    service.stop()
