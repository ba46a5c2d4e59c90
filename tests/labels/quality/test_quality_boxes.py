"""Agreement and consensus of boxes; the first numbers are scipy's."""

from __future__ import annotations

from itertools import permutations

import pytest

from sedna.common.types import Box
from sedna.labels.quality import box_agreement, cohen_kappa, consensus_boxes


def box(x1: float, y1: float, x2: float, y2: float, label: int = 0) -> Box:
    return Box(x1=x1, y1=y1, x2=x2, y2=y2, label=label)


A = (box(0, 0, 10, 10, 0), box(20, 20, 40, 40, 1), box(50, 50, 60, 60, 2))
B = (box(1, 1, 11, 11, 0), box(20, 20, 40, 38, 1))


def test_agreement_by_hand() -> None:
    found = box_agreement(A, B)
    assert [pair[:2] for pair in found.pairs] == [(0, 0), (1, 1)]
    assert [pair[2] for pair in found.pairs] == pytest.approx([0.680672, 0.9], abs=1e-6)
    assert found.mean_iou == pytest.approx(0.790336, abs=1e-6)
    assert found.f1 == pytest.approx(0.8)
    assert found.agreement == pytest.approx(0.526891, abs=1e-6)
    assert found.classes == ((0, 0), (1, 1), (2, -1))


def test_agreement_is_the_same_from_the_other_side() -> None:
    there, back = box_agreement(A, B), box_agreement(B, A)
    assert there.agreement == pytest.approx(back.agreement)
    assert sorted(back.classes) == sorted((b, a) for a, b in there.classes)


def test_two_empty_pictures_agree_and_one_empty_one_does_not() -> None:
    both, one = box_agreement((), ()), box_agreement(A, ())
    assert (both.agreement, both.f1, both.mean_iou, both.classes) == (1.0, 1.0, None, ())
    assert (one.agreement, one.f1, one.mean_iou) == (0.0, 0.0, None)
    assert one.classes == ((0, -1), (1, -1), (2, -1))


def test_another_class_is_the_same_object_and_no_agreement_of_classes() -> None:
    found = box_agreement((box(0, 0, 10, 10, 0), A[1]), (box(0, 0, 10, 10, 1), A[1]))
    assert found.agreement == 1.0
    assert cohen_kappa(*zip(*found.classes, strict=True)) == pytest.approx(0.0)


def test_what_overlaps_too_little_takes_no_box_from_a_better_pair() -> None:
    # Two weak overlaps would have the larger sum; neither of them is a pair.
    first = (box(0, 0, 10, 10), box(6.29, 0, 16.29, 10))
    second = (box(3.79, 0, 13.79, 10), box(10.08, 0, 20.08, 10))
    assert [pair[:2] for pair in box_agreement(first, second, iou=0.4).pairs] == [(0, 0), (1, 1)]
    assert [pair[:2] for pair in box_agreement(first, second, iou=0.5).pairs] == [(1, 0)]


def test_consensus_keeps_what_most_have_drawn_at_the_median_place() -> None:
    answers = (
        (box(10, 10, 20, 20, 1), box(50, 50, 60, 60, 0)),
        (box(11, 10, 21, 20, 1),),
        (box(10, 12, 20, 22, 2), box(80, 80, 90, 90, 0)),
    )
    (found,) = consensus_boxes(answers)
    assert found.corners == (10, 10, 20, 20)
    assert found.votes == ((0, 1), (1, 1), (2, 2))
    assert found.label == 1


def test_of_two_people_both_must_have_drawn_it() -> None:
    (found,) = consensus_boxes(((box(0, 0, 10, 10, 0), A[2]), (box(0, 0, 12, 10, 1),)))
    assert found.corners == (0, 0, 11, 10)
    assert found.label is None  # one says this, the other that


def test_a_chain_of_neighbours_is_no_object() -> None:
    chain = ((box(0, 0, 10, 10),), (box(3, 0, 13, 10),), (box(6, 0, 16, 10),))
    (found,) = consensus_boxes(chain, iou=0.5)
    assert len(found.votes) == 2


def test_no_person_has_two_boxes_of_one_object() -> None:
    twice = (box(0, 0, 10, 10), box(0, 0, 10, 10.5))
    (found,) = consensus_boxes((twice, (box(0, 0, 10, 10),), ()))
    assert [person for person, _ in found.votes] == [0, 1]
    assert found.corners == (0, 0, 10, 10)


def test_the_order_of_people_does_not_matter() -> None:
    people = (
        (box(0, 0, 10, 10, 0), box(30, 0, 44, 10, 1)),
        (box(1, 0, 11, 10, 0), box(31, 1, 44, 10, 1), box(33, 0, 47, 10, 2)),
        (box(0, 1, 10, 11, 2), box(32, 0, 45, 10, 1)),
    )
    wanted = [cluster.corners for cluster in consensus_boxes(people)]
    assert len(wanted) == 2
    for order in permutations(people):
        assert [cluster.corners for cluster in consensus_boxes(order)] == wanted


def test_nobody_has_drawn_anything() -> None:
    assert consensus_boxes(((), ())) == consensus_boxes(()) == ()
