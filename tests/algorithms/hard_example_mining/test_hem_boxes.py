import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sedna.algorithms.hard_example_mining import IBTFilter, ThresholdFilter
from sedna.common.errors import SpecError, UserError

UNIT = st.floats(0, 1)
SCORES = st.lists(UNIT, min_size=1, max_size=12)


def boxes(scores):
    return [[1.0, 2.0, 30.0, 40.0, score, 1] for score in scores]


def upstream_threshold(scores, threshold):
    total = 0
    for score in scores:
        total += score
    return total / len(scores) < threshold


def upstream_ibt(scores, threshold_img, threshold_box):
    return len([score for score in scores if score <= threshold_box]) / len(scores) >= (1 - threshold_img)


@given(SCORES, UNIT)
@example([0.5], 0.5)
@example([0.0], 0.0)
@example([1.0, 1.0], 1.0)
def test_threshold_agrees_with_upstream_on_valid_input(scores, threshold):
    miner = ThresholdFilter(threshold)
    verdict = miner.judge(boxes(scores))
    assert verdict.hard == upstream_threshold(scores, threshold)
    assert miner(boxes(scores)) is verdict.hard
    assert verdict.score == pytest.approx(math.fsum(scores) / len(scores))
    assert (verdict.miner, verdict.threshold) == ("Threshold", threshold)


@given(SCORES, UNIT, UNIT)
@example([0.9, 0.95], 0.9, 0.9)
@example([0.2, 0.9], 0.5, 0.5)
@example([1.0], 0.0, 1.0)
def test_ibt_agrees_with_upstream_on_valid_input(scores, threshold_img, threshold_box):
    miner = IBTFilter(threshold_img, threshold_box)
    verdict = miner.judge(boxes(scores))
    assert verdict.hard == upstream_ibt(scores, threshold_img, threshold_box)
    assert miner(boxes(scores)) is verdict.hard
    assert (verdict.miner, verdict.threshold) == ("IBT", 1 - threshold_img)


@given(SCORES, UNIT, UNIT)
def test_a_higher_threshold_never_finds_fewer(scores, one, two):
    low, high = sorted((one, two))
    assert ThresholdFilter(low)(boxes(scores)) <= ThresholdFilter(high)(boxes(scores))
    assert IBTFilter(low, 0.5)(boxes(scores)) <= IBTFilter(high, 0.5)(boxes(scores))
    assert IBTFilter(0.5, low)(boxes(scores)) <= IBTFilter(0.5, high)(boxes(scores))


@given(SCORES, st.randoms(use_true_random=False))
def test_the_order_of_boxes_does_not_matter_to_ibt(scores, random):
    shuffled = list(scores)
    random.shuffle(shuffled)
    assert IBTFilter().judge(boxes(scores)) == IBTFilter().judge(boxes(shuffled))


@pytest.mark.parametrize("miner", [ThresholdFilter(0.7), IBTFilter(0.7, 0.7)], ids=["Threshold", "IBT"])
@given(scores=st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8))
def test_arrays_tuples_and_lists_are_alike(miner, scores):
    rows = boxes(scores)
    expected = miner.judge(rows)
    assert miner.judge(np.array(rows)) == expected
    assert miner.judge([np.array(row) for row in rows]) == expected
    assert miner.judge(tuple(tuple(row) for row in rows)) == expected
    assert miner.judge([[*row[:4], np.float64(row[4]), row[5]] for row in rows]) == expected
    assert miner.judge(iter(rows)) == expected


@pytest.mark.parametrize("miner", [ThresholdFilter(0.7), IBTFilter(0.7, 0.7)], ids=["Threshold", "IBT"])
def test_tensors(miner):
    torch = pytest.importorskip("torch", reason="torch is in the extra 'train'")
    rows = [[1.0, 2.0, 30.0, 40.0, 0.5, 1.0], [1.0, 2.0, 30.0, 40.0, 0.25, 0.0]]
    assert miner.judge(torch.tensor(rows)) == miner.judge(rows)
    assert miner.judge(torch.tensor(rows, requires_grad=True)) == miner.judge(rows)
    assert miner.judge(torch.zeros((0, 6))).reason.startswith("no boxes")


@pytest.mark.parametrize("kind", [ThresholdFilter, IBTFilter])
@pytest.mark.parametrize("nothing", [None, [], (), np.zeros((0, 6))], ids=["None", "list", "tuple", "array"])
def test_no_boxes_is_easy_as_upstream_unless_asked_otherwise(kind, nothing):
    verdict = kind().judge(nothing)
    assert not verdict.hard
    assert not kind()()
    assert verdict.reason == "no boxes: easy by parameter empty"
    assert verdict.score is None
    assert kind(empty="hard").judge(nothing).hard


INVALID = {
    "not a list": (0.9, "a float is no prediction"),
    "text": ("0.9", "a str is no prediction"),
    "mapping": ({"score": 0.5}, "a dict is no prediction"),
    "flat": ([0.9, 0.1], "a float is no prediction"),
    "short box": ([[1, 2, 3, 4]], "box 0 has 4 values"),
    "one short box": ([*boxes([0.5]), [1, 2]], "box 1 has 2 values"),
    "NaN": (boxes([0.5, math.nan]), "the score of box 1 is nan, outside [0, 1]"),
    "infinite": (boxes([math.inf]), "the score of box 0 is inf"),
    "too large": (boxes([1.5]), "the score of box 0 is 1.5"),
    "negative": (boxes([-0.5]), "the score of box 0 is -0.5"),
    "no number": ([[0, 0, 1, 1, "high", 1]], "the score of box 0 is 'high', not a number"),
    "scalar array": (np.array(0.5), "a float is no prediction"),
}


@pytest.mark.parametrize("miner", [ThresholdFilter(1), IBTFilter(1, 1, empty="hard")], ids=["Threshold", "IBT"])
@pytest.mark.parametrize(("prediction", "reason"), INVALID.values(), ids=INVALID.keys())
def test_what_cannot_be_read_is_easy_and_the_reason_says_why(miner, prediction, reason):
    verdict = miner.judge(prediction)
    assert not verdict.hard
    assert verdict.reason.startswith("invalid prediction: ")
    assert reason in verdict.reason
    assert verdict.score is None


@pytest.mark.parametrize("kind", [ThresholdFilter, IBTFilter])
def test_scores_a_rounding_error_outside_count_as_the_bound(kind):
    assert kind().judge(boxes([1.0000001])) == kind().judge(boxes([1.0]))
    assert kind().judge(boxes([-1e-7])) == kind().judge(boxes([0.0]))


def test_parameters_may_be_texts_of_a_job_description():
    assert ThresholdFilter(threshold="0.9").threshold == 0.9
    miner = IBTFilter(threshold_img="0.9", threshold_box="0.8")
    assert (miner.threshold_img, miner.threshold_box) == (0.9, 0.8)


@pytest.mark.parametrize("value", ["high", "", None, [0.5], math.nan, -0.1, 1.1, "1.1"])
@pytest.mark.parametrize(
    ("kind", "name"), [(ThresholdFilter, "threshold"), (IBTFilter, "threshold_img"), (IBTFilter, "threshold_box")]
)
def test_wrong_parameters_name_themselves(kind, name, value):
    with pytest.raises(SpecError, match=rf"hardExampleMining\.parameters\.{name}: .*\[0, 1\]"):
        kind(**{name: value})


def test_wrong_empty_parameter():
    with pytest.raises(UserError, match='"easy" or "hard"'):
        IBTFilter(empty="maybe")


def test_reasons_can_be_read():
    assert ThresholdFilter(0.5).judge(boxes([0.2, 0.4])).reason == "mean score 0.3 of 2 boxes is below 0.5"
    assert ThresholdFilter(0.5).judge(boxes([0.9])).reason == "mean score 0.9 of 1 boxes is not below 0.5"
    assert IBTFilter(0.9, 0.9).judge(boxes([0.2, 0.95])).reason == "1 of 2 boxes score at most 0.9, hard from 10%"
