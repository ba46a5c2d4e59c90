"""What a user brings: a Python file with a class of his own, or programs and a pod template as upstream has them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from e2e.boards import stream
from e2e.house import House, Service
from fixtures_service import eventually

pytestmark = pytest.mark.e2e

HERE = Path(__file__).parent
CLASSES = ["open", "short", "mousebite", "spur", "copper", "pin-hole"]


def write_job(house: House, name: str, spec: dict[str, Any], model: str) -> None:
    """Dataset, model and job in one file; the addresses are relative to it, as a user writes them."""
    kinds = {
        "Dataset": {"url": f"{name}.txt", "format": "txt"},
        "Model": {"url": model, "format": Path(model).suffix.lstrip(".")},
        "IncrementalLearningJob": {
            "dataset": {"name": name, "trainProb": 0.5},
            "initialModel": {"name": name},
            **spec,
        },
    }
    documents = [
        {"apiVersion": "sedna.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": content}
        for kind, content in kinds.items()
    ]
    path = house.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    house.cli("validate", str(path))
    house.cli("job", "apply", "-f", str(path))


def deployed(house: House, service: Service, name: str) -> dict[str, Any]:
    """The first round of a job, which its trigger starts; it must put model 2 into service."""
    eventually(lambda: service.job(name)["state"]["history"], 120)
    found: dict[str, Any] = house.cli("round", "show", name, "1", "-o", "json", as_json=True)
    assert found["round"]["outcome"] == "Deployed", found["round"]["outcome_reason"]
    assert service.job(name)["champion"] == 2
    workers = [(row["stage"], row["phase"], row["exit_code"]) for row in found["workers"]]
    assert workers == [("Training", "Succeeded", 0), ("Evaluating", "Succeeded", 0)]
    return found


def test_a_users_own_algorithm(house: House) -> None:
    (house.folder / "pictures").mkdir()
    lines = []
    for number in range(16):
        crowded = number // 2 % 2
        picture = Image.new("L", (64, 64), 255)
        side = number + (40 if crowded else 4)
        ImageDraw.Draw(picture).rectangle((0, 0, side, side), fill=number)
        picture.save(house.folder / "pictures" / f"{number}.png")
        lines.append(f"pictures/{number}.png {crowded}\n")
    (house.folder / "own.txt").write_text("".join(lines))
    np.savez(house.folder / "first.npz", border=np.float64(1.0))
    shutil.copy(HERE / "user" / "threshold.py", house.folder)
    service = house.up()
    trigger = {"checkPeriodSeconds": 1, "condition": {"operator": ">=", "threshold": 8, "metric": "num_of_samples"}}
    spec = {
        "classNames": ["sparse", "crowded"],
        "trainSpec": {"algorithm": {"name": "DarkShare", "module": "threshold.py"}, "trigger": trigger},
        "deploySpec": {
            "model": {"name": "own"},
            "hardExampleMining": {"name": "IBT"},
            "gate": {"metric": "value", "confidence": 0.9, "minSamples": 8},
        },
    }
    write_job(house, "own", spec, "first.npz")
    found = deployed(house, service, "own")
    assert found["round"]["verdict"]["interval"]["low"] > 0
    assert service.get("jobs/default/own/models/2")["metrics"]["border"] < 1
    assert service.end() == 0
    house.check_logs()


def container(program: str) -> dict[str, Any]:
    """A worker's pod as upstream's examples describe it; the image is not needed here."""
    env = {"epochs": "3", "class_names": ",".join(CLASSES)}
    return {
        "spec": {
            "nodeName": "cloud",
            "dnsPolicy": "ClusterFirstWithHostNet",
            "containers": [
                {
                    "image": "kubeedge/sedna-example-incremental-learning:v0.5.0",
                    "name": f"{program}-worker",
                    "imagePullPolicy": "IfNotPresent",
                    "args": [f"{program}.py"],
                    "workingDir": str(HERE / "upstream_job"),
                    "env": [{"name": name, "value": value} for name, value in env.items()],
                    "resources": {"requests": {"cpu": 1, "memory": "2Gi"}},
                }
            ],
        }
    }


def test_upstreams_programs_and_pod_templates(house: House) -> None:
    boards = stream(12)
    (house.folder / "template.txt").write_text("".join(f"{board.line(str(board.path))}\n" for board in boards))
    (house.folder / "first.pb").write_text(json.dumps({"expected": 40.0}))
    service = house.up()
    count = {"operator": ">=", "threshold": 6, "metric": "num_of_samples"}
    better = {"operator": ">", "threshold": 0.1, "metric": "recall_delta"}
    spec = {
        "trainSpec": {"template": container("train"), "trigger": {"checkPeriodSeconds": 1, "condition": count}},
        "evalSpec": {"template": container("eval")},
        "deploySpec": {
            "model": {"name": "template"},
            "trigger": {"condition": better},
            "hardExampleMining": {"name": "IBT"},
            "template": container("inference"),
        },
    }
    write_job(house, "template", spec, "first.pb")
    found = deployed(house, service, "template")
    (check,) = found["round"]["verdict"]["checks"]
    assert (check["name"], check["passed"]) == ("condition", True)
    model = service.get("jobs/default/template/models/2")
    assert (model["format"], model["metrics"]) == ("pb", {"loss": 0.5, "epochs": 3.0})
    assert service.end() == 0
    house.check_logs()
