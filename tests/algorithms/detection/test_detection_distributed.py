"""The detector trained by two processes: the weights of one process, up to rounding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from algorithms.detection.detection_pictures import Source
from fixtures_group import run_group
from sedna.algorithms.detection.annotations import Labelled
from sedna.algorithms.detection.checkpoint import FILE_NAME
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.fpn import BaseModel
from sedna.algorithms.detection.sampler import Pool, Sampler

TOLERANCE = 1e-4
"""Largest distance of the weights, as a share of their norm, after the steps below with sgd. Sums are taken in another
order, and steps amplify that; adamw, which divides small gradients by their size, amplifies it by three more digits."""

PROGRAM = """
from pathlib import Path
from safetensors.torch import save_file
from sedna.algorithms.detection.fpn import BaseModel
from sedna.algorithms.detection import trainer

class Source:
    x, y = given["lines"], None

rank = int(os.environ["RANK"])
reports = []
if given.get("nan"):
    whole, calls = trainer.detection_loss, []
    def broken(*args):
        calls.append(1)
        loss = whole(*args)
        return loss._replace(total=loss.total * float("nan")) if rank == 1 and len(calls) == 6 else loss
    trainer.detection_loss = broken
if given.get("lost") and rank == 1:
    Source.x = [*Source.x[:-1], str(Path(Source.x[-1].split()[0]).with_name("gone.png"))]
model = BaseModel(**given["config"])
try:
    result = model.train(
        Source, Source if given["config"].get("patience") else None, checkpoint_dir=given["checkpoints"],
        progress=lambda progress: reports.append([progress.iteration, progress.note]),
    )
except Exception as error:
    answer([type(error).__name__, str(error)])
    sys.exit()
save_file({k: v.contiguous() for k, v in model.model.state_dict().items()}, f"{given['output']}-{rank}")
kinds = {type(layer) for layer in model.model.modules()}
kinds = sorted(kind.__module__ for kind in kinds if kind.__name__ in ("BatchNorm2d", "_Synced2d"))
answer([result["iterations"], result["restores"], result["loss"], reports, kinds, result.get("valid")])
"""


@pytest.fixture
def lines(folder: Path) -> list[str]:
    return [str(folder / line) for line in (folder / "index.txt").read_text().splitlines()]


def distance(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    gap = sum(float(((a[key].double() - b[key].double()) ** 2).sum()) for key in a)
    return float((gap / sum(float((value.double() ** 2).sum()) for value in a.values())) ** 0.5)


def two(tmp_path: Path, lines: list[str], config: dict[str, Any], **given: Any) -> list[Any]:
    return run_group(
        PROGRAM, 2, lines=lines, config=config, output=str(tmp_path / "weights"),
        checkpoints=str(tmp_path / "checkpoints"), **given,
    )  # fmt: skip


def weights(tmp_path: Path) -> list[dict[str, torch.Tensor]]:
    return [safetensors.torch.load_file(tmp_path / f"weights-{rank}") for rank in (0, 1)]


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[key], b[key]) for key in a)


def test_two_processes_end_with_the_weights_of_one(tiny: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    """Odd batches: the shares are unequal. Early stopping looks at the data in rank 0 and stops both."""
    config = {**tiny, "optimizer": "sgd", "learning_rate": 0.01, "batch_size": 5, "patience": 3, "valid_interval": 4}
    told = two(tmp_path, lines, config)
    one = BaseModel(**config)
    result = one.train(Source(lines, None), Source(lines, None))
    mine = weights(tmp_path)
    assert equal(*mine), "both have the same bits"
    assert distance(one.model.state_dict(), mine[0]) < TOLERANCE
    assert [answer[:2] for answer in told] == [[result["iterations"], 0]] * 2
    assert told[0][2] == pytest.approx(result["loss"], rel=1e-4)
    assert told[0][5]["f1_macro"] == told[1][5]["f1_macro"] == pytest.approx(result["valid"]["f1_macro"], abs=0.05)
    assert told[0][3][-1][0] == 8
    assert told[1][3] == [], "rank 0 alone reports"
    assert told[0][4] == ["torch.nn.modules.batchnorm"], "a trained model has no layer of a group"


def test_a_nan_of_one_process_sends_both_back_and_an_interrupted_run_goes_on(
    tiny: dict[str, Any], lines: list[str], tmp_path: Path
) -> None:
    told = two(tmp_path, lines, {**tiny, "optimizer": "sgd"}, nan=True)
    assert [answer[:2] for answer in told] == [[8, 1]] * 2
    assert any("diverged at step 6" in note for _, note in told[0][3])
    assert equal(*weights(tmp_path))

    # The checkpoint is that of rank 0 alone, and both go on from it.
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == [FILE_NAME]
    again = two(tmp_path, lines, {**tiny, "optimizer": "sgd"})
    assert again[0][3] == [[8, "resumed at step 8"], [8, "finished"]]
    assert [answer[:2] for answer in again] == [[8, 1]] * 2
    assert equal(*weights(tmp_path))


def test_what_one_process_cannot_read_both_name(tiny: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    told = two(tmp_path, lines, tiny, lost=True)
    assert [kind for kind, _ in told] in (["DataError"] * 2, ["ConflictError"] * 2)
    assert "gone.png" in told[0][1] or "differ in data" in told[0][1]


def test_a_batch_smaller_than_the_group_is_refused(tiny: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    told = two(tmp_path, lines, {**tiny, "batch_size": 1})
    message = "FPN.batch_size: 1 pictures a step for 2 processes (one or more for each of them)"
    assert told == [["SpecError", message]] * 2


@pytest.mark.parametrize("crop_size", [0, 32])
@pytest.mark.parametrize("augment", ["dihedral", "none"])
def test_a_share_is_what_the_whole_batch_has_there(
    tiny: dict[str, Any], source: Source, crop_size: int, augment: str
) -> None:
    config = FPNConfig(**{**tiny, "batch_size": 7, "crop_size": crop_size, "augment": augment, "background_ratio": 0.4})
    boxes = [np.asarray(rows, dtype=np.float32).reshape(-1, 5) for rows in source.y]
    labelled = [Labelled(x, y, str(n)) for n, (x, y) in enumerate(zip(source.x, boxes, strict=True))]
    sampler = Sampler(Pool(labelled[:8], config), Pool(labelled[8:], config), config)
    for step in range(4):
        whole = sampler.batch(step, 0)
        for part in (slice(0, 3), slice(3, 7), slice(6, 7)):
            share = sampler.batch(step, 0, part)
            assert torch.equal(share.x_BCHW, whole.x_BCHW[part])
            for mine, theirs in zip(share.boxes, whole.boxes[part], strict=True):
                np.testing.assert_array_equal(mine, theirs)
