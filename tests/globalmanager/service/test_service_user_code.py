"""A user's numpy model and miner in the whole loop: trained by a worker, served and mined by an edge."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from fixtures_service import eventually
from globalmanager.service.service import Service
from globalmanager.service.settings import ServiceSettings
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import NotFoundError, SpecError

MODULE = '''
"""An image is dark (class 0) or bright (class 1); the model is the grey level between the two."""

from pathlib import Path

import numpy as np
from PIL import Image

from sedna.algorithms.hard_example_mining import BaseFilter
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.types import Verdict


@ClassFactory.register(ClassType.HEM, alias="NearBorder")
class NearBorder(BaseFilter):
    def __init__(self, margin="0.2"):
        super().__init__()
        self.margin = float(margin)

    def judge(self, probabilities):
        distance = abs(probabilities[1] - 0.5)
        return Verdict(hard=distance < self.margin, miner="NearBorder", score=distance, threshold=self.margin,
                       reason=f"{distance:.2f} from the border")


@ClassFactory.register(ClassType.GENERAL, alias="GreyLevel")
class GreyLevel:
    model_format = "npz"
    border = None

    def __init__(self, softness=90):
        self.softness = softness

    def load(self, model_url):
        with np.load(model_url) as content:
            self.border = float(content["border"])

    def save(self, model_url):
        path = Path(model_url).with_suffix(".npz")
        np.savez(path, border=np.float64(self.border))
        return str(path)

    def train(self, train_data, valid_data=None):
        levels = np.array([np.asarray(Image.open(path)).mean() for path in train_data.x])
        bright = np.array([int(label) for label in train_data.y], dtype=bool)
        self.border = float((levels[~bright].max() + levels[bright].min()) / 2)
        return {"border": self.border}

    def predict(self, data):
        found = np.array([1 / (1 + np.exp((self.border - image.mean()) / self.softness)) for image in data])
        return [[1 - bright, bright] for bright in found.tolist()]

    def evaluate(self, data, model_path):
        self.load(model_path)
        images = [np.asarray(Image.open(path).convert("RGB")) for path in data.x]
        right = [float(int(label) == (bright > 0.5)) for (_, bright), label in zip(self.predict(images), data.y)]
        rows = [{"sample": Path(path).stem, "value": value} for path, value in zip(data.x, right)]
        return {"value": sum(right) / len(right), "per_sample": rows}
'''

JOB = """\
apiVersion: sedna.io/v1alpha1
kind: Dataset
metadata: {{name: parts}}
spec: {{url: {folder}/index.txt, format: txt}}
---
apiVersion: sedna.io/v1alpha1
kind: Model
metadata: {{name: first}}
spec: {{url: {folder}/first.npz, format: npz}}
---
apiVersion: sedna.io/v1alpha1
kind: IncrementalLearningJob
metadata: {{name: parts}}
spec:
  dataset: {{name: parts, trainProb: 0.5}}
  initialModel: {{name: first}}
  classNames: [dark, bright]
  trainSpec:
    algorithm: {{name: GreyLevel, module: {folder}/mine.py, parameters: {{softness: 60}}}}
    trigger: {{checkPeriodSeconds: 1, condition: {{operator: ">=", threshold: 6, metric: num_of_samples}}}}
  deploySpec:
    model: {{name: first}}
    gate: {{metric: value}}
    hardExampleMining: {{name: NearBorder, parameters: [{{key: margin, value: "0.4"}}]}}
    audit: {{ratio: 0}}
"""


def picture(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (level, level, level)).save(out, "PNG")
    return out.getvalue()


class House:
    """A service with one edge, as ``sedna up --edge 1 --module mine.py`` starts it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "mine.py").write_text(MODULE)
        (folder / "index.txt").write_text("")
        np.savez(folder / "first.npz", border=np.float64(240.0))
        self.job = JOB.format(folder=folder)
        self.service = Service(
            ServiceSettings(data_dir=folder / "data", port=0, edges=1, modules=(folder / "mine.py",))
        )

    def call(self, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.service.admin_token}", **options.pop("headers", {})}
        response = httpx.request(method, f"{self.service.url}/api/v1/{path}", headers=headers, timeout=20, **options)
        assert response.is_success, response.text
        return response.json()

    def apply(self) -> None:
        self.call("POST", "resources", content=self.job, headers={"Content-Type": "application/yaml"})

    def status(self) -> dict[str, Any]:
        """What the edge says about the job; empty before it said anything."""
        (edge,) = self.call("GET", "edges")
        return next(iter(edge["jobs"]), {})

    def infer(self, level: int) -> dict[str, Any]:
        url = f"{self.service.edge_urls['local-1']}/v2/models/parts/infer"
        response = httpx.post(url, content=picture(level), headers={"Content-Type": "image/png"}, timeout=20)
        assert response.status_code == 200, response.text
        return response.json()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house")
    made.service.start()
    yield made
    made.service.stop()
    ClassFactory.__registry__[ClassType.GENERAL].pop("GreyLevel")
    ClassFactory.__registry__[ClassType.HEM].pop("NearBorder")


def label_of(answer: dict[str, Any]) -> int:
    return next(output["data"][0] for output in answer["outputs"] if output["name"] == "labels")


def test_an_edge_serves_and_mines_with_a_users_code_and_takes_over_what_it_learned(house: House) -> None:
    house.apply()
    eventually(lambda: house.status().get("model_version") == 1)
    first = house.infer(180)
    assert label_of(first) == 0, "the first model takes 180 for dark"
    (bright,) = (output["data"][1] for output in first["outputs"] if output["name"] == "probabilities")
    assert bright == pytest.approx(1 / (1 + np.e)), "60 below the border, with the job's softness of 60"
    uncertain, certain = range(130, 250, 10), (20, 40)
    for level in (*uncertain, *certain):
        assert house.infer(level)["parameters"]["model_version"] == 1

    def arrived() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = house.call("GET", "jobs/default/parts/samples")["items"]
        return found if len(found) == len(uncertain) else []

    samples = eventually(arrived)
    assert {sample["record"]["verdict"]["miner"] for sample in samples} == {"NearBorder"}
    assert all(sample["record"]["verdict"]["threshold"] == 0.4 for sample in samples)
    for sample in samples:
        bright = sample["record"]["prediction"]["probabilities"][1]
        level = 240 - 60 * np.log(1 / bright - 1)  # the model turned round: its answer gives the level away
        house.call(
            "PUT",
            f"jobs/default/parts/samples/{sample['record']['sample_id']}/label",
            json={"annotation": {"label": int(level > 175)}, "author": "test"},
        )
    status = eventually(lambda: (found := house.status()).get("model_version") == 2 and found)
    assert (status["state"], status["failed_version"], status["counters"]["requests_failed"]) == ("serving", None, 0)
    assert label_of(house.infer(200)) == 1, "the second model has learned where bright begins"
    shown = house.call("GET", "jobs/default/parts/models/2")
    assert (shown["runtime"], shown["round"]) == ("python", 1)


def test_an_edge_without_the_module_says_what_is_missing_and_serves_nothing(tmp_path: Path, house: House) -> None:
    entry = ClassFactory.__registry__[ClassType.GENERAL].pop("GreyLevel")
    try:
        house.apply()
        status = eventually(lambda: (found := house.status()).get("failed_version") == 1 and found)
    finally:
        ClassFactory.__registry__[ClassType.GENERAL]["GreyLevel"] = entry
    assert status["state"] == "failed"
    assert "no algorithm 'GreyLevel' is registered here" in status["reason"]
    assert "--module FILE" in status["reason"]


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [(None, NotFoundError, "no such Python file"), ("1 / 0\n", SpecError, "mine.py:1: cannot be loaded")],
    ids=["missing", "broken"],
)
def test_a_module_that_cannot_be_loaded_stops_the_start_and_leaves_nothing_locked(
    tmp_path: Path, text: str | None, error: type[Exception], words: str
) -> None:
    module = tmp_path / "mine.py"
    if text is not None:
        module.write_text(text)
    with pytest.raises(error, match=words):
        Service(ServiceSettings(data_dir=tmp_path / "data", port=0, modules=(module,)))
    assert not (tmp_path / "data").exists()
