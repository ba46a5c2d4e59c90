import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.algorithms.hard_example_mining import CrossEntropyFilter
from sedna.common.errors import SpecError

OPEN_UNIT = st.floats(0, 1, exclude_min=True)


def upstream(probabilities, threshold):
    log_sum = 0.0
    for p in probabilities:
        log_sum += p * math.log(p)
    return 1 + 1.0 * log_sum / math.log(len(probabilities)) < threshold


@given(st.lists(OPEN_UNIT, min_size=2, max_size=12), st.floats(0, 1))
def test_agrees_with_upstream_where_upstream_has_an_answer(probabilities, threshold):
    miner = CrossEntropyFilter(threshold)
    assert miner(probabilities) is upstream(probabilities, threshold)
    assert miner.judge(np.array(probabilities)) == miner.judge(probabilities)


@pytest.mark.parametrize(
    ("probabilities", "score"),
    [
        ([0.25] * 4, 0.0),
        ([0.0, 1.0], 1.0),
        ([1.0, 0.0, 0.0], 1.0),
        ([0.5, 0.5, 0.0, 0.0], 0.5),
        ([1.0], 1.0),
        ([0.3], 1.0),
        ([1.0000001, -1e-7], 1.0),
    ],
)
def test_hand_computed(probabilities, score):
    verdict = CrossEntropyFilter(0.75).judge(probabilities)
    assert verdict.score == pytest.approx(score)
    assert verdict.hard == (score < 0.75)
    assert verdict.miner == "CrossEntropy"
    assert verdict.threshold == 0.75


@given(st.integers(2, 20), st.integers(0, 19))
def test_a_certain_answer_is_easy_and_a_uniform_one_hard(classes, winner):
    certain = [1.0 if index == winner % classes else 0.0 for index in range(classes)]
    assert not CrossEntropyFilter(0.5)(certain)
    assert CrossEntropyFilter(0.5)([1 / classes] * classes)


@pytest.mark.parametrize(
    ("prediction", "reason"),
    [
        (None, "no probabilities"),
        ([], "no probabilities"),
        ([0.5, math.nan], "invalid prediction: the probability of class 1 is nan, outside [0, 1]"),
        ([0.5, 1.5], "invalid prediction: the probability of class 1 is 1.5, outside [0, 1]"),
        ([[0.5, 0.5]], "invalid prediction: the probability of class 0 is [0.5, 0.5], not a number"),
        (0.5, "invalid prediction: a float is no prediction"),
    ],
)
def test_what_cannot_be_read_is_easy_and_the_reason_says_why(prediction, reason):
    verdict = CrossEntropyFilter(1).judge(prediction)
    assert not verdict.hard
    assert verdict.score is None
    assert verdict.reason == reason


def test_parameters():
    assert CrossEntropyFilter(threshold_cross_entropy="0.9").threshold_cross_entropy == 0.9
    with pytest.raises(SpecError, match="threshold_cross_entropy"):
        CrossEntropyFilter("high")
