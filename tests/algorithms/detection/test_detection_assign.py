from __future__ import annotations

import torch

from sedna.algorithms.detection.assign import assign
from sedna.algorithms.detection.network import STRIDES, decode, locations


def assigned(boxes: list[list[float]], side: int = 256) -> dict[tuple[float, float, int], int]:
    """{(x, y, stride): box} of all positive locations."""
    points, strides = locations(side, side)
    index = assign(points, strides, torch.tensor(boxes).reshape(-1, 5))
    return {
        (float(points[i, 0]), float(points[i, 1]), int(strides[i])): int(index[i])
        for i in torch.nonzero(index >= 0).flatten()
    }


def test_locations_are_cell_centres_level_by_level() -> None:
    points, strides = locations(64, 32)
    assert [int((strides == stride).sum()) for stride in STRIDES] == [32, 8, 2]
    assert points[:2].tolist() == [[4.0, 4.0], [12.0, 4.0]]
    assert points[-1].tolist() == [16.0, 48.0]


def test_no_box_means_background() -> None:
    assert assigned([]) == {}


def test_a_small_box_is_learnt_around_its_centre_on_the_first_level() -> None:
    # centre (20, 20), radius 1.5 * 8 = 12: cell centres 12, 20, 28 (also 4 + 8k within 8..32) in both directions
    found = assigned([[4, 4, 36, 36, 0]])
    assert set(found) == {(x, y, 8) for x in (12.0, 20.0, 28.0) for y in (12.0, 20.0, 28.0)}


def test_levels_share_the_boxes_by_size() -> None:
    assert {stride for *_, stride in assigned([[0, 0, 160, 160, 0]])} == {16}
    assert {stride for *_, stride in assigned([[0, 0, 255, 255, 0]])} == {32}


def test_the_smaller_of_two_overlapping_boxes_wins() -> None:
    found = assigned([[0, 0, 48, 48, 0], [16, 16, 32, 32, 1]])
    assert found[(20.0, 20.0, 8)] == 1
    assert set(found.values()) == {0, 1}


def test_a_box_between_all_locations_still_gets_one() -> None:
    assert assigned([[6, 6, 10, 10, 0]]) in ({(4.0, 4.0, 8): 0}, {(12.0, 12.0, 8): 0}, {(4.0, 12.0, 8): 0})


def test_distances_decode_to_the_box() -> None:
    points = torch.tensor([[10.0, 20.0]])
    assert decode(points, torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])).tolist() == [[[9.0, 18.0, 13.0, 24.0]]]
