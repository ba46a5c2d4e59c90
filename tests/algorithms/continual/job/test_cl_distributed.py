"""Rounds of a job learnt by two processes: the weights of one process, up to rounding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from fixtures_group import run_group
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator

TOLERANCE = 1e-4
"""Largest distance of the weights after both rounds, as a share of their norm."""

CONFIG: dict[str, Any] = {
    "class_names": ("red", "green", "blue"), "network": "conv2", "width": 8, "image_size": 16, "iterations": 12,
    "precision": "fp32", "memory_format": "contiguous", "padding": 2, "onnx": False, "learning_rate": 0.01,
    "uratio": 3, "replay": 4, "checkpoint_interval": 5,
}  # fmt: skip

METHODS: list[dict[str, Any]] = [
    {"method": "EdgeHML", "method_options": {"threshold": 0.4}},
    {"method": "EdgeHML++", "method_options": {"consistency": 1.0, "consistency_start": 0.0}},
    {"method": "DER+MixMatch"},
]
"""EdgeHML with a threshold at which the unlabelled tier on disk is used."""

PROGRAM = """
from pathlib import Path
from safetensors.torch import save_file
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator

rank = int(os.environ["RANK"])

class Source:
    def __init__(self, paths):
        self.x, self.y = paths, [int(path.split("-")[-1][0]) for path in paths]

told = []
for number, changes in enumerate(given["methods"]):
    reports = []
    model = EdgeHMLEstimator(**{**given["config"], **changes})
    for round_number, count in enumerate((9, 15)):
        folder = Path(given["folder"]) / f"{number}-{round_number}"
        if given["stop"] and round_number:
            class Stop(Exception):
                pass
            def stop(progress):
                if progress.iteration >= 5 and not progress.note:
                    raise Stop
            try:
                model.train(
                    Source(given["labelled"][:count]), unlabelled_data=Source(given["unlabelled"]),
                    checkpoint_dir=folder, progress=stop,
                )
            except Exception as error:
                told.append(type(error).__name__)
        result = model.train(
            Source(given["labelled"][:count]), unlabelled_data=Source(given["unlabelled"]), checkpoint_dir=folder,
            progress=lambda progress: reports.append(progress.note),
        )
    names = sorted(path.name for path in folder.iterdir())
    save_file({k: v.contiguous() for k, v in model.network.state_dict().items()}, f"{given['folder']}/w{number}-{rank}")
    told.append([result["restores"], result["remembered_samples"], result["memory_bytes"], reports, names])
answer(told)
"""


class Source:
    def __init__(self, paths: list[str]) -> None:
        self.x, self.y = paths, [int(path.split("-")[-1][0]) for path in paths]


@pytest.fixture
def pictures(tmp_path: Path) -> dict[str, list[str]]:
    rng = np.random.default_rng(0)
    made: dict[str, list[str]] = {}
    for kind, count in (("labelled", 15), ("unlabelled", 20)):
        made[kind] = []
        for index in range(count):
            pixels = rng.integers(0, 90, (16, 16, 3)).astype(np.uint8)
            pixels[:, :, index % 3] += 90
            path = tmp_path / f"{kind}{index}-{index % 3}.png"
            Image.fromarray(pixels).save(path)
            made[kind].append(str(path))
    return made


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    gap = sum(float(((a[key].double() - b[key].double()) ** 2).sum()) for key in a)
    return float((gap / sum(float((value.double() ** 2).sum()) for value in a.values())) ** 0.5)


def one_process(pictures: dict[str, list[str]], changes: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    model = EdgeHMLEstimator(**{**CONFIG, **changes})
    for count in (9, 15):
        unlabelled = Source(pictures["unlabelled"])
        result = model.train(Source(pictures["labelled"][:count]), unlabelled_data=unlabelled)
    return result, model.network.state_dict()


@pytest.mark.parametrize("stop", [False, True], ids=["at once", "interrupted"])
def test_two_processes_end_with_the_weights_of_one(
    pictures: dict[str, list[str]], tmp_path: Path, *, stop: bool
) -> None:
    """Batches of 8 out of 9 pictures: in every second step one process has no row."""
    methods = METHODS[:1] if stop else METHODS
    given = {**pictures, "methods": methods, "config": json.loads(json.dumps(CONFIG)), "stop": stop}
    told = run_group(PROGRAM, 2, folder=str(tmp_path), **given)
    if stop:
        assert [answer.pop(0) for answer in told] == ["Stop", "PermanentError"], "the others learn why it ended"
    for number, changes in enumerate(methods):
        result, expected = one_process(pictures, changes)
        mine = [safetensors.torch.load_file(tmp_path / f"w{number}-{rank}") for rank in (0, 1)]
        assert all(torch.equal(mine[0][key], mine[1][key]) for key in expected), "both have the same bits"
        assert distance(expected, mine[0]) < TOLERANCE
        for answer in told:
            assert answer[number][:3] == [result["restores"], result["remembered_samples"], result["memory_bytes"]]
        assert ("resumed" in told[0][number][3]) == stop
        assert told[1][number][3] == [], "rank 0 alone reports"
        assert "continual-checkpoint.safetensors" in told[0][number][4]
        assert not [name for name in told[0][number][4] if name.startswith("rank")]
