from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from algorithms.detection.detection_pictures import SIDE, Source, draw
from sedna.algorithms.detection.annotations import Labelled, read_labelled
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.sampler import Pool, Sampler
from sedna.common.errors import DataError


def labelled(source: Source) -> list[Labelled]:
    return read_labelled(source, ("full", "hollow"), [])


def test_a_batch_depends_on_seed_step_and_retry_only(tiny: dict[str, Any], source: Source) -> None:
    config = FPNConfig.build(tiny)

    def drawn(seed: int, step: int, retry: int) -> bytes:
        changed = FPNConfig.build({"seed": seed}, base=config)
        sampler = Sampler(Pool(labelled(source), changed), None, changed)
        if step:
            sampler.batch(0, 0)  # what was drawn before must not matter
        return sampler.batch(step, retry).x_BCHW.numpy().tobytes()

    assert drawn(1, 3, 0) == drawn(1, 3, 0)
    assert len({drawn(1, 3, 0), drawn(2, 3, 0), drawn(1, 4, 0), drawn(1, 3, 1)}) == 4


def test_the_cache_changes_nothing(tiny: dict[str, Any], folder: Path) -> None:
    lines = (folder / "index.txt").read_text().splitlines()
    pictures = read_labelled(Source(lines), ("full", "hollow"), [folder])
    batches = []
    for room in (0, 512):
        config = FPNConfig.build({**tiny, "cache_mb": room})
        sampler = Sampler(Pool(pictures, config), None, config)
        batches.append([sampler.batch(step, 0) for step in range(4)])
    for one, other in zip(*batches, strict=True):
        assert torch.equal(one.x_BCHW, other.x_BCHW)
        assert all(torch.equal(a, b) for a, b in zip(one.boxes, other.boxes, strict=True))


def test_rare_classes_are_drawn_as_often(tiny: dict[str, Any]) -> None:
    box = {0: [[2.0, 2.0, 20.0, 20.0, 0]], 1: [[2.0, 2.0, 20.0, 20.0, 1]]}
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pictures = labelled(Source([pixels] * 20, [box[0]] * 19 + [box[1]]))
    pool = Pool(pictures, FPNConfig.build(tiny))
    rng = np.random.default_rng(0)
    balanced = Counter(pool.draw(rng, balance=True)[0] == 19 for _ in range(400))
    plain = Counter(pool.draw(rng, balance=False)[0] == 19 for _ in range(400))
    assert 150 < balanced[True] < 250
    assert plain[True] < 50


def test_pictures_without_boxes_are_drawn_as_background(tiny: dict[str, Any]) -> None:
    config = FPNConfig.build(tiny)
    empty = Source([np.zeros((SIDE, SIDE, 3), np.uint8)], [[]])
    batch = Sampler(Pool(labelled(empty), config), None, config).batch(0, 0)
    assert [tuple(boxes.shape) for boxes in batch.boxes] == [(0, 5)] * 4


def test_replay_takes_its_share(tiny: dict[str, Any]) -> None:
    config = FPNConfig.build({**tiny, "replay_ratio": 0.5, "batch_size": 64})
    new = Pool(labelled(Source([np.zeros((SIDE, SIDE, 3), np.uint8)], [[]])), config)
    old = Pool(labelled(Source([np.full((SIDE, SIDE, 3), 255, np.uint8)], [[]])), config)
    bright = (Sampler(new, old, config).batch(0, 0).x_BCHW.flatten(1).max(1).values == 255).sum()
    assert 16 < int(bright) < 48


def test_large_pictures_shrink_with_their_boxes_and_whole_pictures_are_padded(tiny: dict[str, Any]) -> None:
    config = FPNConfig.build({**tiny, "crop_size": 0, "augment": "none", "batch_size": 1})
    tall = np.zeros((2 * SIDE, SIDE, 3), np.uint8)
    source = Source([tall], [[[10, 20, 50, 100, 1]]])
    batch = Sampler(Pool(labelled(source), config), None, config).batch(0, 0)
    assert batch.x_BCHW.shape == (1, 3, SIDE, SIDE)
    assert batch.boxes[0].tolist() == [[5.0, 10.0, 25.0, 50.0, 1.0]]


def test_a_corrupt_picture_is_named(tiny: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    config = FPNConfig.build(tiny)
    pictures = read_labelled(Source([str(tmp_path / "bad.png")], [[]]), ("full", "hollow"), [])
    with pytest.raises(DataError, match=r"bad\.png: this is no picture"):
        Sampler(Pool(pictures, config), None, config).batch(0, 0)


def test_the_generator_of_pictures_draws_both_classes() -> None:
    labels = {int(label) for seed in range(20) for label in draw(np.random.default_rng(seed))[1][:, 4]}
    assert labels == {0, 1}
