from __future__ import annotations

import numpy as np
import pytest

from sedna.common.boxes import iou_matrix


def test_the_overlap_of_every_pair_is_as_exact_as_the_corners() -> None:
    a = np.array([[10, 10, 30, 30], [0, 0, 5, 5]], dtype=np.float64)
    b = np.array([[20, 20, 40, 40]], dtype=np.float64)
    found = iou_matrix(a, b)
    assert found.dtype == np.float64
    assert found[0, 0] == pytest.approx(1 / 7, abs=1e-15)
    assert found[1, 0] == 0.0
    assert iou_matrix(a.astype(np.float32), b.astype(np.float32)).dtype == np.float32


def test_a_side_without_boxes_has_no_pairs() -> None:
    none = np.zeros((0, 4))
    assert iou_matrix(none, np.array([[0.0, 0.0, 1.0, 1.0]])).shape == (0, 1)
    assert iou_matrix(none, none).shape == (0, 0)
