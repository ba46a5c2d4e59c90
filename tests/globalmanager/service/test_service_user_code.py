"""A user's numpy model and miner in the whole loop: trained by a worker, served and mined by an edge."""

from __future__ import annotations

import hashlib
import io
import json
import sys
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
        self.folder = folder
        (folder / "mine.py").write_text(MODULE)
        (folder / "index.txt").write_text("")
        np.savez(folder / "first.npz", border=np.float64(240.0))
        self.job = JOB.format(folder=folder)
        self.service = self.new_service(folder / "mine.py")

    def new_service(self, *modules: Path) -> Service:
        return Service(ServiceSettings(data_dir=self.folder / "data", port=0, edges=1, modules=modules))

    def restart(self, *modules: Path) -> None:
        self.service.stop()
        self.service = self.new_service(*modules)
        self.service.start()

    def label(self, levels: range) -> None:
        """Pictures that people have looked at: bright is above 175."""
        for level in levels:
            assert self.infer(level)
        found = eventually(lambda: self.samples(len(levels)))
        for sample in found:
            name = sample["record"]["sample_id"]
            raw = httpx.get(
                f"{self.service.url}/api/v1/jobs/default/parts/samples/{name}/image",
                headers={"Authorization": f"Bearer {self.service.admin_token}"},
                timeout=20,
            ).content
            level = np.asarray(Image.open(io.BytesIO(raw))).mean()
            annotation = {"annotation": {"label": int(level > 175)}, "author": "test"}
            self.call("PUT", f"jobs/default/parts/samples/{name}/label", json=annotation)

    def samples(self, count: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "jobs/default/parts/samples")["items"]
        return found if len(found) >= count else []

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
    ClassFactory.__registry__[ClassType.GENERAL].pop("GreyLevel", None)
    ClassFactory.__registry__[ClassType.HEM].pop("NearBorder", None)
    for name in [name for name in sys.modules if name.startswith("sedna_plugin_mine_")]:
        del sys.modules[name]


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


def edited() -> str:
    """The model keeps its border as a share of white from now on: what the code of before has stored is nonsense."""
    text = MODULE.replace('float(content["border"])', 'float(content["border"]) * 255')
    text = text.replace("np.float64(self.border)", "np.float64(self.border / 255)")
    assert text.count("255") == 2
    return text


def test_an_edit_of_the_file_is_the_business_of_the_next_model_alone(house: House) -> None:
    house.apply()
    eventually(lambda: house.status().get("model_version") == 1)
    (house.folder / "mine.py").write_text(edited())
    house.label(range(130, 250, 10))
    status = eventually(lambda: (found := house.status()).get("model_version") == 2 and found)
    assert status["failed_version"] is None, "the edge reads the file that it was told of, as it is now"
    (row,) = house.call("GET", "jobs/default/parts/rounds")["items"]
    # Under the new code the model in service would put its border at 61,200: every picture would be dark.
    scores = {sample["sample"]: sample["value"] for sample in champion_rows(house)}
    levels = {name: level for name, level in levels_of(house).items() if name in scores}
    assert scores == {name: float((level > 240) == (level > 175)) for name, level in levels.items()}
    assert row["outcome"] == "Deployed"
    shown = [house.call("GET", f"jobs/default/parts/models/{version}/manifest")["module"] for version in (1, 2)]
    sources = MODULE.encode(), edited().encode()
    assert [module["sha256"] for module in shown] == [hashlib.sha256(text).hexdigest() for text in sources]
    assert label_of(house.infer(200)) == 1

    # A roll-back after a start with the edited file: the old model has its old code.
    house.restart(house.folder / "mine.py")
    eventually(lambda: house.status().get("model_version") == 2)
    house.call("POST", "jobs/default/parts/models:rollback", json={"reason": "test"})
    eventually(lambda: house.status().get("model_version") == 1)
    assert label_of(house.infer(200)) == 0


def levels_of(house: House) -> dict[str, float]:
    found = {}
    for level in range(130, 250, 10):
        found[hashlib.sha256(picture(level)).hexdigest()] = float(level)
    return found


def champion_rows(house: House) -> list[dict[str, Any]]:
    (key,) = [info.key for info in house.service.api.store.list("default/parts/rounds/1/evaluation-")]
    found: list[dict[str, Any]] = json.loads(house.service.api.store.get(key))["champion"]["per_sample"]
    assert found
    return found


def test_an_edge_without_the_module_says_what_is_missing_and_tries_again_at_its_next_start(house: House) -> None:
    house.restart()
    house.apply()
    status = eventually(lambda: (found := house.status()).get("failed_version") == 1 and found)
    assert status["state"] == "failed"
    sha256 = hashlib.sha256(MODULE.encode()).hexdigest()
    assert f"model 1 was made with mine.py of sha256 {sha256[:12]}" in status["reason"]
    assert "'sedna model module default/parts 1'" in status["reason"]
    text = httpx.get(
        f"{house.service.url}/api/v1/jobs/default/parts/models/1/module",
        headers={"Authorization": f"Bearer {house.service.admin_token}"},
    )
    assert text.content == MODULE.encode()

    job = house.call("GET", "jobs/default/parts")
    assert (job["phase"], job["champion"], job["serving"]["serving"]) == ("Degraded", 1, 0)
    assert job["degraded"].startswith("model 1 is in service, and refused by local-1: model 1 was made with mine.py")
    (listed,) = house.call("GET", "jobs")
    assert (listed["phase"], listed["serving"]["live"]) == ("Degraded", 1)
    asked = house.call("POST", "jobs/default/parts/models/1:promote", json={"reason": "is it there now?"})
    answer = eventually(
        lambda: (
            found := house.call("GET", f"jobs/default/parts/triggers/{asked['id']}")
        )["state"] != "pending" and found
    )  # fmt: skip
    assert answer["state"] == "accepted", "what edges do not serve may be asked for again"
    ended = eventually(
        lambda: (found := house.call("GET", "jobs/default/parts/rounds/1"))["round"]["outcome"] and found
    )
    assert "model 1 stays the model in service, but edges refuse it" in ended["round"]["outcome_reason"]

    house.restart(house.folder / "mine.py")
    eventually(lambda: house.status().get("model_version") == 1)
    job = house.call("GET", "jobs/default/parts")
    assert (job["phase"], job["degraded"], job["serving"]["serving"]) == ("Waiting", None, 1)


def test_a_start_with_the_switch_runs_the_code_of_the_service(house: House) -> None:
    house.service.stop()
    house.service = Service(
        ServiceSettings(data_dir=house.folder / "data", port=0, edges=1, allow_module_from_service=True)
    )
    house.service.start()
    house.apply()
    eventually(lambda: house.status().get("model_version") == 1)
    house.infer(180)


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
