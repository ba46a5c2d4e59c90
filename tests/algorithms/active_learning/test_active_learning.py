from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sedna.algorithms import active_learning
from sedna.algorithms.active_learning import (
    SCORES,
    committee_entropy,
    entropy,
    k_center,
    least_confidence,
    margin,
    recorded_class,
    recorded_score,
    select,
    select_per_class,
)
from sedna.common.errors import DataError
from sedna.common.types import Box, Prediction

P = [[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [0.4, 0.4, 0.2]]

positive = hnp.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=st.floats(0.01, 1))


def test_scores_by_hand() -> None:
    assert least_confidence(P).tolist() == pytest.approx([0.5, 0, 0.6])
    assert margin(P).tolist() == pytest.approx([0.8, 0, 1.0])
    by_hand = [-(0.5 * math.log(0.5) + 0.3 * math.log(0.3) + 0.2 * math.log(0.2)), 0]
    assert entropy(P)[:2].tolist() == pytest.approx(by_hand)


@given(positive)
def test_the_uniform_distribution_is_the_most_uncertain(raw: np.ndarray) -> None:  # type: ignore[type-arg]
    p = raw / raw.sum(1, keepdims=True)
    uniform = np.full((1, p.shape[1]), 1 / p.shape[1])
    for score in SCORES.values():
        assert (score(p) <= score(uniform) + 1e-9).all()
        assert (score(p) >= -1e-9).all()
        assert score(p[:, ::-1]) == pytest.approx(score(p))


def test_a_committee_that_disagrees_scores_higher_and_equal_votes_go_by_mean_entropy() -> None:
    agree, unsure = [0.9, 0.1], [0.6, 0.4]
    members = [
        [agree, agree, unsure],
        [agree, agree, unsure],
        [agree, [0.1, 0.9], unsure],
    ]
    scores = committee_entropy(members)
    votes = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert scores[1] == pytest.approx(votes, abs=1e-5)
    assert scores[0] < scores[2] < 1e-5
    with pytest.raises(DataError, match="a committee of 2"):
        committee_entropy(members[:2])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[3.0, -1.0]], "outside 0..1"),
        ([[0.5, 0.1]], "a row sums to 0.6"),
        ([[float("nan"), 0.5]], "outside 0..1"),
        ([0.5, 0.5], "shape"),
        ([[1.0]], "shape"),
    ],
)
def test_what_is_no_probability_is_refused(values: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        entropy(values)  # type: ignore[arg-type]


def test_choice_from_the_whole_pool_and_by_class() -> None:
    scores = [0.1, 0.9, 0.5, 0.9, 0.2]
    assert select(scores, 3).tolist() == [1, 3, 2]
    assert select(scores, 99).tolist() == [1, 3, 2, 4, 0]
    assert select(scores, 0).tolist() == []
    assert select_per_class(scores, [0, 0, 1, 0, 1], 1).tolist() == [1, 2]
    assert select_per_class(scores, [0, 0, 1, 0, 1], 3).tolist() == [1, 3, 0, 2, 4]
    assert select_per_class([], [], 3).tolist() == []
    with pytest.raises(DataError, match="one label a score"):
        select_per_class(scores, [0, 1], 1)
    with pytest.raises(DataError, match="numbers"):
        select([float("nan")], 1)


def test_centres_by_hand() -> None:
    points = [[0.0], [1.0], [2.0], [10.0]]
    assert k_center(points, 2).tolist() == [2, 3]
    assert k_center(points, 2, labelled_LD=[[10.0]]).tolist() == [0, 2]
    assert sorted(k_center(points, 9).tolist()) == [0, 1, 2, 3]
    assert k_center(points, 0).tolist() == []
    assert sorted(k_center([[1.0]] * 4, 3).tolist()) != [0, 0, 0]
    with pytest.raises(DataError, match="features"):
        k_center([[float("inf")]], 1)
    with pytest.raises(DataError, match="labelled"):
        k_center(points, 1, labelled_LD=[[1.0, 2.0]])


@given(hnp.arrays(np.float64, (12, 2), elements=st.floats(-10, 10)), st.integers(1, 6))
def test_the_cover_is_at_most_twice_as_wide_as_any_other(points: np.ndarray, budget: int) -> None:  # type: ignore[type-arg]
    def width(centres: list[int]) -> float:
        return float(np.linalg.norm(points[:, None] - points[centres][None], axis=2).min(1).max())

    chosen = k_center(points, budget).tolist()
    assert len(set(chosen)) == budget
    rng = np.random.default_rng(0)
    best = min(width(rng.choice(12, budget, replace=False).tolist()) for _ in range(200))
    assert width(chosen) <= 2 * best + 1e-9


def test_recorded_predictions_by_hand() -> None:
    def box(score: float | None, label: int = 0) -> Box:
        return Box(x1=0, y1=0, x2=1, y2=1, label=label, score=score)

    assert recorded_score(Prediction(probabilities=(0.5, 0.3, 0.2)), margin) == pytest.approx(0.8)
    assert recorded_score(Prediction(boxes=(box(0.9), box(0.6), box(None))), least_confidence) == pytest.approx(0.4)
    assert recorded_score(Prediction(boxes=(box(None),)), entropy) is None
    assert recorded_score(Prediction(label=1), entropy) is None
    assert recorded_score(Prediction(probabilities=(5.0, -1.0)), entropy) is None
    assert recorded_class(Prediction(boxes=(box(0.2, 4), box(0.7, 2)))) == 2
    assert recorded_class(Prediction(probabilities=(0.1, 0.9))) == 1
    assert recorded_class(Prediction(label=3, probabilities=(0.1, 0.9))) == 3
    assert recorded_class(Prediction()) == -1


def test_public_names() -> None:
    assert active_learning.__all__ == sorted(active_learning.__all__)
    assert all(hasattr(active_learning, name) for name in active_learning.__all__)
