from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torchvision.ops import batched_nms, box_iou

from sedna.algorithms.detection.postprocess import nms, select
from sedna.common.boxes import iou_matrix


def random_boxes(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 60, (count, 2))
    return np.concatenate([corner, corner + rng.uniform(1, 40, (count, 2))], 1).astype(np.float32)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1000), st.integers(0, 12), st.integers(0, 12))
def test_iou_equals_torchvision(seed: int, n: int, m: int) -> None:
    a, b = random_boxes(seed, n), random_boxes(seed + 1, m)
    expected = box_iou(torch.from_numpy(a), torch.from_numpy(b)).numpy()
    np.testing.assert_allclose(iou_matrix(a, b), expected, atol=1e-5)


def test_iou_of_a_box_without_area_is_zero() -> None:
    flat = np.asarray([[3, 3, 3, 9]], np.float32)
    assert iou_matrix(flat, flat).tolist() == [[0.0]]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1000), st.integers(1, 40), st.floats(0.1, 0.9))
def test_selection_equals_torchvision_per_class(seed: int, count: int, threshold: float) -> None:
    boxes = random_boxes(seed, count)
    scores = np.random.default_rng(seed).permutation(count * 3).reshape(count, 3).astype(np.float32) / (count * 3)
    rows = select(boxes, scores, score_threshold=0.3, nms_threshold=threshold, max_detections=10_000, size=(200, 200))
    places, labels = np.nonzero(scores >= 0.3)
    flat = torch.from_numpy(scores[places, labels])
    keep = batched_nms(torch.from_numpy(boxes[places]), flat, torch.from_numpy(labels), threshold).numpy()
    expected = [[*boxes[places[i]], scores[places[i], labels[i]], labels[i]] for i in keep]
    np.testing.assert_allclose(np.asarray(rows).reshape(-1, 6), np.asarray(expected).reshape(-1, 6), atol=0.011)


def test_nms_keeps_the_better_of_two_and_the_first_of_equals() -> None:
    boxes = np.asarray([[0, 0, 10, 10], [1, 0, 11, 10], [50, 0, 60, 10], [0, 0, 10, 10]], np.float32)
    assert nms(boxes, np.asarray([0.5, 0.9, 0.3, 0.9], np.float32), 0.5).tolist() == [1, 2]
    assert nms(boxes[[0, 3]], np.asarray([0.5, 0.5], np.float32), 0.5).tolist() == [0]


def test_boxes_return_to_the_pictures_pixels_and_are_clipped() -> None:
    boxes = np.asarray([[-4, 8, 20, 99], [70, 0, 90, 5]], np.float32)
    scores = np.asarray([[0.0, 0.9], [0.8, 0.0]], np.float32)
    rows = select(boxes, scores, score_threshold=0.5, nms_threshold=0.5, max_detections=5, size=(60, 100), scale=0.5)
    # the second box starts at x = 140, outside a picture 100 pixels wide: nothing is left of it
    assert rows == [[0.0, 16.0, 40.0, 60.0, pytest.approx(0.9), 1]]


def test_only_the_best_are_reported() -> None:
    boxes = np.asarray([[i * 20, 0, i * 20 + 9, 9] for i in range(5)], np.float32)
    scores = np.asarray([[0.5], [0.9], [0.6], [0.8], [0.7]], np.float32)
    rows = select(boxes, scores, score_threshold=0.5, nms_threshold=0.5, max_detections=2, size=(99, 99))
    assert [row[4] for row in rows] == [pytest.approx(0.9), pytest.approx(0.8)]


def test_nothing_over_the_threshold_is_an_empty_answer() -> None:
    empty = np.zeros((3, 2), np.float32)
    assert (
        select(random_boxes(0, 3), empty, score_threshold=0.1, nms_threshold=0.5, max_detections=9, size=(9, 9)) == []
    )
