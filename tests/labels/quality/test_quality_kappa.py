"""Kappas; the numbers are of scikit-learn and of the textbook's table."""

from __future__ import annotations

import pytest

from sedna.labels.quality import cohen_kappa, fleiss_kappa

FLEISS_1971 = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def answers(table: list[list[int]]) -> tuple[list[int], list[int]]:
    pairs = [(i, j) for i, row in enumerate(table) for j, count in enumerate(row) for _ in range(count)]
    return [i for i, _ in pairs], [j for _, j in pairs]


def test_cohen_of_a_table_by_hand() -> None:
    assert cohen_kappa(*answers([[20, 5], [10, 15]])) == pytest.approx(0.4, abs=1e-12)


def test_cohen_is_one_below_zero_or_in_between() -> None:
    assert cohen_kappa([0, 1, 2], [0, 1, 2]) == 1.0
    assert cohen_kappa([0, 1], [1, 0]) == -1.0
    assert cohen_kappa([0, 0, 1, 1], [0, 1, 0, 1]) == 0.0


def test_cohen_knows_classes_that_only_one_of_the_two_names() -> None:
    # po = 1/3, pe = (2/3)(1/3) + 0 + 0
    assert cohen_kappa([0, 0, 1], [0, 2, 2]) == pytest.approx((1 / 3 - 2 / 9) / (1 - 2 / 9))


@pytest.mark.parametrize("same", [[], [3], [3, 3, 3] * 33])
def test_where_only_one_thing_is_ever_said_cohen_cannot_tell(same: list[int]) -> None:
    assert cohen_kappa(same, same) is None


def test_cohen_wants_one_answer_each() -> None:
    with pytest.raises(ValueError, match="2 answers of the one and 1"):
        cohen_kappa([0, 1], [0])


def test_fleiss_of_the_textbook() -> None:
    assert fleiss_kappa(FLEISS_1971) == pytest.approx(0.209931, abs=1e-6)


def test_fleiss_of_five_items() -> None:
    assert fleiss_kappa([[2, 1], [0, 3], [3, 0], [1, 2], [2, 1]]) == pytest.approx(0.196429, abs=1e-6)


@pytest.mark.parametrize(
    "counts", [[], [[0, 3], [0, 3]], [[1, 0], [0, 1]], [[0, 0], [0, 0]]], ids=["none", "one class", "alone", "empty"]
)
def test_fleiss_is_undefined_where_chance_explains_all(counts: list[list[int]]) -> None:
    assert fleiss_kappa(counts) is None


def test_fleiss_wants_the_same_number_of_answers_everywhere() -> None:
    with pytest.raises(ValueError, match="different numbers of answers"):
        fleiss_kappa([[2, 1], [1, 1]])
