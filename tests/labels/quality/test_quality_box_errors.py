"""Wrong boxes; the example's numbers are those of cleanlab 2.9.0."""

from __future__ import annotations

import pytest

from sedna.common.types import Box
from sedna.labels.quality import box_label_quality, least_similarity, scaled_boxes

Boxes = tuple[Box, ...]


def box(x1: float, y1: float, x2: float, y2: float, label: int = 0, score: float | None = None) -> Box:
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label, score=score)


TRUE = box(10, 10, 30, 30)
SAME = box(10, 10, 30, 30, score=0.98)
PICTURES: tuple[tuple[Boxes, Boxes], ...] = (
    ((TRUE,), (SAME,)),
    ((box(10, 10, 30, 30, 1),), (SAME,)),
    ((TRUE,), (box(20, 20, 40, 40, score=0.98),)),
    ((), (box(50, 50, 70, 70, score=0.98),)),
    ((), ()),
)


def test_the_example() -> None:
    least = least_similarity(PICTURES)
    assert least == pytest.approx(0.152883, abs=1e-6)
    found = [box_label_quality(labels, predictions, least=least) for labels, predictions in PICTURES]
    assert [one.score for one in found] == pytest.approx([1, 0.534712, 0.534712, 0.145143, 1], abs=1e-6)
    assert found[1].swapped == pytest.approx(0.152883, abs=1e-6)
    assert found[2].badly_placed == pytest.approx(0.152883, abs=1e-6)
    assert found[3].overlooked == pytest.approx(0.003058, abs=1e-6)
    assert (found[3].badly_placed, found[3].swapped) == (1.0, 1.0)


def test_a_score_does_not_change_with_what_is_scored_beside_it() -> None:
    least = least_similarity(PICTURES)
    far = ((box(0, 0, 2, 2),), (box(600, 600, 620, 620, score=0.99),))
    assert least_similarity((*PICTURES, far)) < least
    alone = box_label_quality(*PICTURES[3], least=least)
    beside = [box_label_quality(*picture, least=least) for picture in (*PICTURES, far)][3]
    assert beside == alone


def test_pictures_of_every_size_are_judged_alike() -> None:
    small = (scaled_boxes((TRUE,), 100, 80), scaled_boxes((box(20, 20, 40, 40, score=0.98),), 100, 80))
    large = tuple(
        scaled_boxes((box(one.x1 * 7, one.y1 * 7, one.x2 * 7, one.y2 * 7, score=one.score),), 700, 560)
        for one in (TRUE, box(20, 20, 40, 40, score=0.98))
    )
    assert small[0][0].x2 == pytest.approx(30 * 6.4)
    assert small[1][0].score == 0.98
    assert least_similarity([small]) == pytest.approx(least_similarity([(large[0], large[1])]))


def test_what_the_model_is_not_sure_of_says_nothing() -> None:
    unsure = (box(50, 50, 70, 70, score=0.6), box(10, 10, 30, 30, 1, score=0.6), box(12, 10, 32, 30, score=0.4))
    found = box_label_quality((TRUE,), unsure, least=0.1)
    assert (found.overlooked, found.swapped, found.badly_placed, found.score) == (1, 1, 1, 1)
    assert box_label_quality((TRUE,), unsure, least=0.1, sure=0.55, likely=0.3).score < 0.5


def test_an_overlooked_box_is_compared_with_labels_of_its_class() -> None:
    found = box_label_quality((TRUE,), (SAME, box(30, 10, 50, 30, score=0.99)), least=0.01)
    assert found.overlooked == pytest.approx(0.1 * 2.718281828 ** (-0.1 * 20))


def test_of_several_labels_the_worst_counts_most() -> None:
    labels = (TRUE, box(100, 100, 140, 140), box(200, 200, 240, 240))
    predictions = (SAME, box(100, 100, 140, 140, score=0.9), box(220, 220, 260, 260, score=0.9))
    found = box_label_quality(labels, predictions, least=0.01)
    near = 0.9 / 7 + 0.1 * 2.718281828 ** (-0.1 * 20 * 2**0.5)
    assert near < found.badly_placed < near + 0.01
    assert found.swapped == 1.0


def test_no_label_and_no_prediction_have_no_similarity() -> None:
    assert least_similarity([((), ())]) == least_similarity([]) == 1.0
