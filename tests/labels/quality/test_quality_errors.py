"""Wrong labels of whole images; the example's numbers are those of cleanlab 2.9.0."""

from __future__ import annotations

import numpy as np
import pytest

from sedna.labels.quality import find_class_errors

LABELS = [0, 0, 0, 1, 1, 1, 0, 1]
P_ONE = np.array([0.1, 0.2, 0.7, 0.8, 0.9, 0.15, 0.4, 0.65])
PROBABILITIES = np.stack([1 - P_ONE, P_ONE], axis=1)


def test_the_example() -> None:
    found = find_class_errors(LABELS, PROBABILITIES)
    assert found.thresholds_K == pytest.approx([0.65, 0.625])
    assert found.counts_KK.tolist() == [[2, 1], [1, 3]]
    assert found.calibrated_KK.tolist() == [[3, 1], [1, 3]]
    assert found.joint.tolist() == [[0.375, 0.125], [0.125, 0.375]]
    own = [0.9, 0.8, 0.3, 0.8, 0.9, 0.15, 0.6, 0.65]
    assert found.self_confidence_N == pytest.approx(own)
    assert found.normalised_margin_N == pytest.approx(own)  # the same where there are two classes
    entropy = [0.804899, 0.712671, 0.466559, 0.712671, 0.804899, 0.399073, 0.594782, 0.619876]
    assert found.weighted_entropy_N == pytest.approx(entropy, abs=1e-6)
    assert found.suspects == (5, 2)


def test_a_model_that_repeats_the_labels_finds_nothing() -> None:
    found = find_class_errors(LABELS, np.eye(2)[LABELS])
    assert found.suspects == ()


@pytest.mark.parametrize("seed", range(3))
def test_turned_labels_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 4, 400)
    turned = rng.choice(400, 30, replace=False)
    labels = truth.copy()
    labels[turned] = (labels[turned] + 1) % 4
    logits = 3.0 * np.eye(4)[truth] + rng.normal(0, 0.7, (400, 4))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    found = find_class_errors(labels, p).suspects
    right = len(set(found) & set(turned.tolist()))
    assert right >= 24
    assert right / len(found) > 0.8


def test_a_class_without_labels_and_one_without_sure_samples_stand_their_ground() -> None:
    p = np.array([[0.6, 0.3, 0.1], [0.55, 0.35, 0.1], [0.6, 0.3, 0.1]])
    found = find_class_errors([0, 0, 1], p)
    assert found.thresholds_K[2] == 2.0
    assert found.calibrated_KK.sum(axis=1).tolist() == [2, 1, 0]
    assert found.calibrated_KK[1, 1] == 1  # at least one label of a class is right
    assert found.suspects == ()


def test_equals_are_suspects_together() -> None:
    p = np.array([[0.9, 0.1]] * 4 + [[0.2, 0.8]] * 6)
    twice = find_class_errors([0] * 4 + [1] * 4 + [0] * 2, p)
    assert twice.suspects == (8, 9)


def test_no_labels_have_no_errors() -> None:
    assert find_class_errors([], np.zeros((0, 3))).suspects == ()


@pytest.mark.parametrize(
    ("labels", "p", "message"),
    [([2], [[0.5, 0.5]], "below 2"), ([0], [[1.0]], "K at least 2"), ([0, 1], [[0.5, 0.5]], r"\(N,\) and \(N, K\)")],
)
def test_wrong_input_is_named(labels: list[int], p: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_class_errors(labels, p)
