from __future__ import annotations

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sedna.algorithms.training.guard import DivergenceGuard, loss_ceiling


@pytest.mark.parametrize(("loss", "norm"), [(math.nan, 1.0), (math.inf, 1.0), (1.0, math.nan), (1.0, math.inf)])
def test_what_is_not_finite_is_divergence(loss: float, norm: float) -> None:
    assert DivergenceGuard(growth=4.0).after(loss, norm) is None


def test_growth_of_the_running_mean_trips_and_one_outlier_does_not() -> None:
    guard: DivergenceGuard | None = DivergenceGuard(growth=4.0, smoothed=1.0, lowest=1.0)
    assert guard is not None
    assert guard.after(20.0, 1.0) is not None  # mean 0.9 + 2.0 = 2.9
    steps = 0
    while guard is not None:
        guard = guard.after(10.0, 1.0)
        steps += 1
    # mean after n steps: 10 - 9 * 0.9^n > 4  <=>  n > ln(6/9) / ln 0.9 = 3.85
    assert steps == 4


def test_small_losses_may_jump() -> None:
    guard = DivergenceGuard(growth=4.0, smoothed=0.01, lowest=0.01)
    assert guard.after(1.0, 1.0) is not None  # 0.109 is far above 0.04, but below 4 * 0.25


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(0.5, 1.9), min_size=1, max_size=50))
def test_losses_within_the_factor_never_trip(losses: list[float]) -> None:
    guard: DivergenceGuard | None = DivergenceGuard(growth=4.0)
    for loss in losses:
        assert guard is not None
        guard = guard.after(loss, 1.0)
    assert guard is not None
    assert guard.lowest is not None
    assert min(losses) - 1e-9 <= guard.lowest <= max(losses) + 1e-9


def test_a_ceiling_lets_jumps_pass_and_stops_at_nan_and_at_lasting_growth() -> None:
    guard: DivergenceGuard | None = DivergenceGuard(ceiling=loss_ceiling(20, 10, 2.3))
    assert guard is not None
    guard = guard.after(0.1, 1.0)
    assert guard is not None
    assert guard.after(float("nan"), 1.0) is None
    assert guard.after(1.0, float("inf")) is None
    assert guard.after(100.0, 1.0) is not None
    for _ in range(5):
        last = guard
        guard = guard.after(200.0, 1.0)
        if guard is None:
            break
    assert guard is None
    assert last.smoothed is not None
    assert last.smoothed <= 20 * math.log(10)


def test_the_smaller_of_two_bounds_counts() -> None:
    assert DivergenceGuard(growth=4.0, ceiling=100.0, smoothed=1.0, lowest=1.0).after(60.0, 1.0) is None
    assert DivergenceGuard(growth=400.0, ceiling=3.0, smoothed=1.0, lowest=1.0).after(60.0, 1.0) is None
    assert DivergenceGuard(growth=400.0, ceiling=100.0, smoothed=1.0, lowest=1.0).after(60.0, 1.0) is not None


def test_guessing_has_a_ceiling_with_one_class_too() -> None:
    assert loss_ceiling(20, 1, 0.1) == loss_ceiling(20, 2, 0.1) == pytest.approx(20 * math.log(2))


def test_a_training_that_begins_with_a_large_loss_is_measured_by_it() -> None:
    assert DivergenceGuard(ceiling=loss_ceiling(20, 4, None)).after(32.5, 1.0) is not None
    guard: DivergenceGuard | None = DivergenceGuard(ceiling=loss_ceiling(20, 4, 32.5), smoothed=32.5)
    for loss in (40.0, 28.0, 12.0):
        assert guard is not None
        guard = guard.after(loss, 1.0)
    assert guard is not None
    assert guard.after(1e6, 1.0) is None
