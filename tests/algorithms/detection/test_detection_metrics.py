from __future__ import annotations

import numpy as np
import pytest

from sedna.algorithms.detection.metrics import Scored, coco_map, match, measure

TRUE = np.asarray([[0, 0, 10, 10, 0], [20, 0, 30, 10, 0], [40, 0, 50, 10, 1]], np.float32)


def test_counts_of_a_hand_made_case() -> None:
    found = [
        [0, 0, 10, 9, 0.9, 0],  # hits the first
        [1, 0, 11, 10, 0.8, 0],  # overlaps the first, which is taken
        [20, 0, 30, 4, 0.7, 0],  # overlap 0.4 is too small
        [40, 0, 50, 10, 0.6, 0],  # right place, wrong class
    ]
    counts = match(found, TRUE, 2, "a")
    assert (counts.tp, counts.fp, counts.fn) == ((1, 0), (3, 0), (1, 1))


def test_the_better_score_takes_the_box() -> None:
    found = [[2, 0, 10, 10, 0.5, 1], [0, 0, 10, 10, 0.9, 1]]
    truth = np.asarray([[0, 0, 10, 10, 1]], np.float32)
    assert match(found, truth, 2, "a") == match(list(reversed(found)), truth, 2, "a")


def test_figures_of_a_hand_made_set() -> None:
    scored = [
        Scored("a", [[0, 0, 10, 10, 0.9, 0], [40, 0, 50, 10, 0.2, 1]], TRUE),
        Scored("b", [[0, 0, 5, 5, 0.5, 1]], np.zeros((0, 5), np.float32)),
    ]
    figures = measure(scored, 3, score_threshold=0.4)
    assert figures.precision == (1.0, 0.0, 0.0)
    assert figures.recall == (0.5, 0.0, 0.0)
    assert figures.f1 == (pytest.approx(2 / 3), 0.0, 0.0)
    assert figures.f1_macro == pytest.approx((2 / 3 + 0) / 2)  # the third class is neither there nor found
    assert figures.f1_micro == pytest.approx(2 * 1 / (2 * 1 + 1 + 2))
    assert (figures.precision_micro, figures.recall_micro) == (0.5, pytest.approx(1 / 3))
    assert [sample.sample for sample in figures.per_sample] == ["a", "b"]
    assert figures.as_dict()["per_sample"][1] == {"sample": "b", "tp": [0, 0, 0], "fp": [0, 1, 0], "fn": [0, 0, 0]}


def test_nothing_there_and_nothing_found_is_right() -> None:
    figures = measure([Scored("a", [], np.zeros((0, 5), np.float32))], 2, 0.4)
    assert (figures.f1_macro, figures.f1_micro, figures.map) == (1.0, 1.0, 0.0)
    assert measure([], 2, 0.4).f1_macro == 1.0


def test_map_of_perfect_and_of_half_good_boxes() -> None:
    perfect = [[*row[:4], 0.9, row[4]] for row in TRUE.tolist()]
    assert coco_map([Scored("a", perfect, TRUE)], 2) == (pytest.approx(1.0), pytest.approx(1.0))
    # IoU 0.7 counts at 0.50, 0.55, 0.60, 0.65 and 0.70: five thresholds of ten
    half = [[x1, y1, x2, y1 + 7, 0.9, label] for x1, y1, x2, _, label in TRUE.tolist()]
    assert coco_map([Scored("a", half, TRUE)], 2) == (pytest.approx(0.5), pytest.approx(1.0))


def test_map_without_predictions_or_without_truth_is_zero() -> None:
    assert coco_map([Scored("a", [], TRUE)], 2) == (0.0, 0.0)
    assert coco_map([Scored("a", [[0, 0, 5, 5, 0.5, 0]], np.zeros((0, 5), np.float32))], 2) == (0.0, 0.0)
