import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sedna.edge.budget import HardBudget, KeepLimits, difference_hash
from sedna.edge.counters import NotKept


def scene(seed: int, noise: int = 0) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    pixels = np.kron(small, np.ones((8, 8, 1), np.uint8)).astype(np.int16)
    pixels += np.random.default_rng(noise).integers(-3, 4, pixels.shape, dtype=np.int16)
    return pixels.clip(0, 255).astype(np.uint8)


def test_without_limits_everything_is_kept():
    budget = HardBudget(KeepLimits())
    assert [budget.take(scene(0), 0.0) for _ in range(5)] == [None] * 5


def test_quiet_time_after_a_kept_one():
    budget = HardBudget(KeepLimits(min_interval_seconds=10))
    assert budget.take(scene(0), 0.0) is None
    assert budget.take(scene(1), 9.9) is NotKept.INTERVAL
    assert budget.take(scene(1), 10.0) is None


def test_a_quiet_time_longer_than_an_hour_holds():
    budget = HardBudget(KeepLimits(min_interval_seconds=7200, max_per_hour=5))
    assert budget.take(scene(0), 0.0) is None
    assert budget.take(scene(1), 7000.0) is NotKept.INTERVAL


@given(st.lists(st.floats(0, 4000), min_size=1, max_size=60), st.integers(1, 5))
def test_never_more_than_the_budget_in_any_hour(gaps, most):
    budget = HardBudget(KeepLimits(max_per_hour=most))
    now, kept = 0.0, []
    for gap in gaps:
        now += gap
        if budget.take(scene(0), now) is None:
            kept.append(now)
    assert all(sum(1 for other in kept if start <= other < start + 3600) <= most for start in kept)
    assert kept


def test_the_same_scene_is_kept_once():
    budget = HardBudget(KeepLimits(duplicate_bits=6))
    assert budget.take(scene(0, noise=1), 0.0) is None
    assert budget.take(scene(0, noise=2), 1.0) is NotKept.DUPLICATE
    assert budget.take(scene(1), 2.0) is None


def test_memory_of_scenes_is_bounded():
    budget = HardBudget(KeepLimits(duplicate_bits=0, duplicate_memory=2))
    assert [budget.take(scene(seed), 0.0) for seed in (0, 1, 2, 0)] == [None] * 4


def test_the_hash_sees_the_scene_not_the_noise():
    distance = [(difference_hash(scene(0, 1)) ^ difference_hash(scene(other, 2))).bit_count() for other in range(6)]
    assert distance[0] <= 4
    assert min(distance[1:]) > 12
