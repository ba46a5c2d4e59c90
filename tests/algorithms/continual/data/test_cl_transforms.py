from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sedna.algorithms.continual.transforms.pipeline import CIFAR100, Pipeline
from sedna.algorithms.continual.transforms.randaugment import POLICIES, RandAugment
from sedna.algorithms.continual.transforms.strong import StrongAugment
from sedna.algorithms.continual.transforms.weak import weak_views


def _pictures(count: int, size: int = 8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(1, 256, (count, 3, size, size)).astype(np.uint8)


def test_a_weak_view_is_a_window_of_the_padded_picture() -> None:
    pictures = _pictures(20)
    views = weak_views(pictures, np.random.default_rng(1), padding=2)
    for before, after in zip(pictures, views, strict=True):
        padded = np.pad(before, ((0, 0), (2, 2), (2, 2)))
        windows = [padded[:, y : y + 8, x : x + 8] for y in range(5) for x in range(5)]
        assert any((after == w).all() or (after == w[:, :, ::-1]).all() for w in windows)


def test_without_padding_and_flip_nothing_changes() -> None:
    pictures = _pictures(4)
    assert (weak_views(pictures, np.random.default_rng(1), padding=0, flip=False) == pictures).all()


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_every_policy_changes_a_picture_and_keeps_its_shape(policy: object) -> None:
    image = Image.fromarray(np.random.default_rng(2).integers(20, 200, (16, 16, 3)).astype(np.uint8))
    changed = policy.apply(image, 0.7 * (policy.high - policy.low) + policy.low, (128, 128, 128))  # type: ignore[attr-defined]
    assert changed.size == image.size
    assert changed.mode == "RGB"
    assert (np.asarray(changed) != np.asarray(image)).any()


def test_half_of_three_policies_fire() -> None:
    image = Image.new("RGB", (8, 8), (90, 30, 60))
    augment = RandAugment(level_std=0)
    rng = np.random.default_rng(0)
    untouched = sum(augment(image, rng) is image for _ in range(2000))
    assert untouched / 2000 == pytest.approx(0.125, abs=0.03)


def test_cutout_paints_a_grey_square() -> None:
    augment = StrongAugment(RandAugment(num_policies=0), cutout_probability=1.0)
    views = augment(np.zeros((50, 3, 32, 32), np.uint8), np.random.default_rng(0), padding=0)
    grey = (views == 128).all(1).sum((1, 2))
    assert grey.max() == 25
    assert (grey > 0).all()
    assert set(np.unique(views)) == {0, 128}


def test_normalisation_by_hand() -> None:
    x = np.full((1, 3, 2, 2), 200, np.uint8)
    out = Pipeline(CIFAR100).normalise(x)
    expected = [(200 - mean) / std for mean, std in zip(CIFAR100.mean, CIFAR100.std, strict=True)]
    assert torch.allclose(out[0, :, 0, 0], torch.tensor(expected))
