from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.algorithms.continual.memory.buffer import ReplayBuffer
from sedna.algorithms.continual.memory.columns import RecordColumn, image_columns
from sedna.algorithms.continual.memory.policies import Reservoir, Ring
from sedna.common.errors import ConflictError

IDS = (RecordColumn("id", "int64"), RecordColumn("label", "int64"))


def test_reservoir_appends_until_full_then_keeps_each_record_equally_often() -> None:
    capacity, offered, runs = 5, 20, 2500
    kept = np.zeros(offered)
    for seed in range(runs):
        policy = Reservoir(seed, "test")
        slots: list[int] = [-1] * capacity
        for number in range(offered):
            slot = policy.slot(number, capacity)
            if number < capacity:
                assert slot == number
            if slot is not None:
                slots[slot] = number
        kept[slots] += 1
    expected = runs * capacity / offered
    chi_square = float(((kept - expected) ** 2 / (expected * (1 - capacity / offered))).sum())
    assert chi_square < 43.8  # 0.1 % point for 19 degrees of freedom


def test_ring_keeps_the_latest() -> None:
    buffer = ReplayBuffer(3, IDS, policy="ring")
    for number in range(8):
        assert buffer.offer({"id": number, "label": 0})
    assert sorted(buffer["id"].tolist()) == [5, 6, 7]
    assert Ring().slot(7, 3) == 1


def test_a_stored_id_changes_neither_content_nor_count() -> None:
    buffer = ReplayBuffer(4, IDS, unique=True)
    assert buffer.offer({"id": 1, "label": 3})
    assert not buffer.offer({"id": 1, "label": 9})
    assert buffer.num_seen == 1
    assert buffer["label"].tolist() == [3]


@given(st.lists(st.integers(0, 12), max_size=80), st.integers(1, 6))
def test_a_unique_buffer_never_holds_an_id_twice_nor_more_than_its_capacity(ids: list[int], capacity: int) -> None:
    buffer = ReplayBuffer(capacity, IDS, unique=True)
    for identity in ids:
        buffer.offer({"id": identity, "label": identity})
        stored = buffer["id"].tolist()
        assert len(stored) == len(set(stored)) <= capacity
        assert buffer["label"].tolist() == stored
    assert buffer.nbytes == 16 * len(buffer)


def test_balanced_draw_takes_classes_in_turn() -> None:
    buffer = ReplayBuffer(100, IDS)
    for number in range(50):
        buffer.offer({"id": number, "label": 0 if number < 40 else number % 2 + 1})
    rng = np.random.default_rng(0)
    labels = buffer.draw_balanced(9, rng)["label"]
    assert np.bincount(labels).tolist() == [3, 3, 3]
    assert np.bincount(buffer.draw_balanced(20, rng)["label"]).tolist() == [10, 5, 5]
    drawn = buffer.draw_balanced(30, rng)["id"].tolist()
    assert len(set(drawn)) == 30


def test_draws_are_distinct_and_bounded_by_the_content() -> None:
    buffer = ReplayBuffer(10, IDS)
    rng = np.random.default_rng(0)
    assert len(buffer.draw(8, rng)["id"]) == 0
    for number in range(5):
        buffer.offer({"id": number, "label": 0})
    assert sorted(buffer.draw(8, rng)["id"].tolist()) == [0, 1, 2, 3, 4]


def test_state_goes_round_and_refuses_another_configuration() -> None:
    columns = image_columns((3, 2, 2))
    buffer = ReplayBuffer(4, columns, unique=True)
    for number in range(9):
        buffer.offer({"image": np.full((3, 2, 2), number), "label": number, "task": 0, "id": number})
    copy = ReplayBuffer(4, columns, unique=True)
    copy.load_state(buffer.state())
    for number in range(9, 20):
        row = {"image": np.full((3, 2, 2), number), "label": number, "task": 0, "id": number}
        assert buffer.offer(row) == copy.offer(row)
    assert buffer["id"].tolist() == copy["id"].tolist()
    assert (buffer["image"] == copy["image"]).all()
    with pytest.raises(ConflictError, match="another configuration"):
        ReplayBuffer(4, image_columns((3, 4, 4))).load_state(buffer.state())
    with pytest.raises(ConflictError, match="at most 2 rows"):
        ReplayBuffer(2, columns).load_state(buffer.state())
