from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from sedna.labels.quality.assignment import best_pairs


def best_sum(weights: np.ndarray) -> float:
    if weights.shape[0] > weights.shape[1]:
        weights = weights.T
    rows, columns = weights.shape
    return max(sum(weights[i, j] for i, j in enumerate(order)) for order in permutations(range(columns), rows))


@pytest.mark.parametrize("seed", range(60))
def test_no_other_pairing_has_a_larger_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 7, size=2)
    weights = np.where(rng.random(shape) < 0.6, rng.random(shape).round(int(rng.integers(1, 5))), 0.0)
    pairs = best_pairs(weights)
    assert all(weights[i, j] > 0 for i, j in pairs)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert sum(weights[i, j] for i, j in pairs) == pytest.approx(best_sum(weights))


def test_the_largest_first_would_be_worse() -> None:
    assert best_pairs(np.array([[0.6, 0.9], [0.0, 0.6]])) == [(0, 0), (1, 1)]


def test_nothing_is_paired_with_nothing() -> None:
    assert best_pairs(np.zeros((0, 3))) == best_pairs(np.zeros((3, 0))) == best_pairs(np.zeros((2, 2))) == []


def test_hundreds_that_all_overlap_are_paired() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    weights = rng.random((200, 200)) * 0.4 + 0.05
    weights[np.arange(200), order] += 200  # no sum of others can make up for one of these
    assert best_pairs(weights) == list(enumerate(order))
