from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from algorithms.detection.detection_pictures import draw
from sedna.algorithms.detection.augment import crop_at, dihedral

SEEDS = st.integers(0, 10_000)


def bright_box(pixels: np.ndarray) -> list[float]:
    """The box around everything bright."""
    rows, columns = np.nonzero(pixels[:, :, 0] > 128)
    return [float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS, st.integers(0, 7))
def test_boxes_follow_the_pixels_through_all_symmetries(seed: int, turn: int) -> None:
    pixels, boxes = draw(np.random.default_rng(seed), boxes=1)
    turned, moved = dihedral(pixels, boxes, turn)
    assert moved[0, :4].tolist() == bright_box(turned)
    assert moved[0, 4] == boxes[0, 4]


def test_the_eight_symmetries_differ_and_keep_their_input() -> None:
    pixels, boxes = draw(np.random.default_rng(1))
    before = pixels.copy(), boxes.copy()
    assert len({dihedral(pixels, boxes, turn)[0].tobytes() for turn in range(8)}) == 8
    assert np.array_equal(pixels, before[0])
    assert np.array_equal(boxes, before[1])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS, st.sampled_from([32, 64, 96]))
def test_a_crop_shows_its_centre_and_moves_the_boxes(seed: int, side: int) -> None:
    rng = np.random.default_rng(seed)
    pixels, boxes = draw(rng, boxes=1)
    x1, y1, x2, y2 = (float(v) for v in boxes[0, :4])
    cropped, moved = crop_at(pixels, boxes, side, ((x1 + x2) / 2, (y1 + y2) / 2), rng)
    assert cropped.shape == (side, side, 3)
    # The box is at most 23 pixels wide and its centre at least 0.2 * 32 pixels inside: some of it is always visible.
    seen = bright_box(cropped)
    if len(moved):
        assert moved[0, :4].tolist() == seen
    else:
        assert (seen[2] - seen[0]) * (seen[3] - seen[1]) < 0.5 * (x2 - x1) * (y2 - y1)


def test_a_box_that_is_mostly_cut_off_is_dropped() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    boxes = np.asarray([[30, 0, 40, 10, 0], [24, 0, 34, 10, 1], [0, 0, 10, 10, 0]], np.float32)
    fixed = np.random.default_rng(0)
    _, kept = crop_at(pixels, boxes, 32, (0.0, 0.0), fixed)  # the corner is clipped to (0, 0)
    assert kept.tolist() == [[24, 0, 32, 10, 1], [0, 0, 10, 10, 0]]
