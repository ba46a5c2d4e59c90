from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sedna.algorithms.continual.transforms import randaugment
from sedna.algorithms.continual.transforms.pipeline import CIFAR100, ViewPipeline
from sedna.algorithms.continual.transforms.randaugment import POLICIES, Policy, RandAugment
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


def test_every_corner_of_the_padding_is_reached_and_half_are_mirrored() -> None:
    """One bright pixel in the middle of a row of three tells offset and mirroring apart."""
    picture = np.zeros((2000, 3, 5, 5), np.uint8)
    picture[:, :, 2, 2], picture[:, :, 2, 3] = 200, 100
    views = weak_views(picture, np.random.default_rng(3), padding=1)[:, 0]
    place = np.array([np.argwhere(view == 200)[0] for view in views])
    assert sorted(map(tuple, np.unique(place, axis=0))) == [(y, x) for y in (1, 2, 3) for x in (1, 2, 3)]
    right = np.array([np.argwhere(view == 100)[0] for view in views])
    assert (right[:, 0] == place[:, 0]).all()
    assert float(np.mean(right[:, 1] < place[:, 1])) == pytest.approx(0.5, abs=0.04)


def test_pictures_with_an_upright_are_never_mirrored() -> None:
    picture = np.zeros((200, 3, 4, 4), np.uint8)
    picture[:, :, :, 0] = 200
    for make in (weak_views, StrongAugment(RandAugment(num_policies=0), cutout_probability=0.0)):
        views = make(picture, np.random.default_rng(0), padding=0, flip=False)
        assert (views == picture).all()


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


def _apply(name: str, pixels: list[list[int]], level: float) -> list[list[int]]:
    """A policy at a level (0 to 10) on a grey picture, without a sign."""
    policy = next(policy for policy in POLICIES if policy.name == name)
    grey = np.asarray(pixels, np.uint8)
    value = level / 10 * (policy.high - policy.low) + policy.low
    out = np.asarray(policy.apply(Image.fromarray(np.stack([grey] * 3, 2)), value, (9, 9, 9)))
    return out[:, :, 0].tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("name", "level", "before", "after"),
    [
        ("Solarize", 0, [[0, 127, 255]], [[0, 127, 255]]),  # threshold 256: nothing is inverted
        ("Solarize", 5, [[0, 127, 128, 255]], [[0, 127, 127, 0]]),  # threshold 128
        ("SolarizeAdd", 10, [[0, 100, 127, 128, 200]], [[110, 210, 237, 128, 200]]),
        ("Posterize", 0, [[0, 17, 255]], [[0, 16, 240]]),  # four bits are left
        ("Posterize", 10, [[0, 127, 128, 255]], [[0, 0, 128, 128]]),  # one bit is left
        ("Invert", 3, [[0, 100, 255]], [[255, 155, 0]]),
        ("Brightness", 10, [[0, 50, 100, 200]], [[0, 95, 190, 255]]),
        ("TranslateX", 10, [[0, 0, 10, 20] * 5], [([0, 0, 10, 20] * 5)[9:] + [9] * 9]),  # 0.45 of the width
    ],
)
def test_the_strength_of_a_policy_follows_its_level(
    name: str, level: float, before: list[list[int]], after: list[list[int]]
) -> None:
    assert _apply(name, before, level) == after


@pytest.mark.parametrize(("name", "moved_rows"), [("ShearX", True), ("ShearY", False)])
def test_shears_go_along_their_axis(name: str, moved_rows: bool) -> None:
    stripes = np.tile(np.arange(0, 160, 10), (16, 1))  # every row is the same
    middle = np.asarray(_apply(name, stripes.tolist(), 10))[6:10]  # no pixel from outside comes so far
    assert bool((middle != middle[0]).any()) is moved_rows


def test_only_signed_policies_are_negated(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[bool, set[float]] = {True: set(), False: set()}

    def note(signed: bool) -> Policy:
        def apply(image: Image.Image, value: float, _fill: object) -> Image.Image:
            seen[signed].add(round(value, 6))
            return image

        return Policy("noted", apply, 1, 3, signed=signed)

    monkeypatch.setattr(randaugment, "POLICIES", (note(True), note(False)))
    augment = RandAugment(level=5, level_std=0)
    rng = np.random.default_rng(0)
    for _ in range(100):
        augment(Image.new("RGB", (2, 2)), rng)
    assert seen == {True: {2.0, -2.0}, False: {2.0}}
    seen[False].clear()
    wild = RandAugment(level=5, level_std=1e12)
    for _ in range(100):
        wild(Image.new("RGB", (2, 2)), rng)
    assert seen[False] == {1.0, 3.0}  # a level outside 0 to 10 counts as the nearer end


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
    rows, columns = ((views == 128).all(1).any(axis) for axis in (2, 1))
    middle = [np.stack([np.flatnonzero(side).mean() for side in sides]) for sides in (rows, columns)]
    assert abs(np.corrcoef(middle[0], middle[1])[0, 1]) < 0.5


def test_cutout_grows_with_the_picture_and_fires_half_the_time() -> None:
    views = StrongAugment(RandAugment(num_policies=0))(np.zeros((400, 3, 64, 64), np.uint8), np.random.default_rng(0))
    painted = (views == 128).all(1).sum((1, 2))
    assert painted.max() == 100  # (5 * 64 / 32) squared
    assert float(np.mean(painted > 0)) == pytest.approx(0.5, abs=0.08)


def test_normalisation_by_hand() -> None:
    x = np.full((1, 3, 2, 2), 200, np.uint8)
    out = ViewPipeline(CIFAR100).normalise(x)
    expected = [(200 - mean) / std for mean, std in zip(CIFAR100.mean, CIFAR100.std, strict=True)]
    assert torch.allclose(out[0, :, 0, 0], torch.tensor(expected))
