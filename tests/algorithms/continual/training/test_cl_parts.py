from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sedna.algorithms.continual import metrics
from sedna.algorithms.continual.models.factory import ModelConfig, build_network
from sedna.algorithms.continual.rng import generator
from sedna.algorithms.continual.training.config import TrainConfig
from sedna.algorithms.continual.training.optimizer import learning_rate
from sedna.algorithms.continual.training.probe import probe_precision

MATRIX = [[80.0], [60.0, 70.0], [50.0, 75.0, 90.0]]


def test_figures_of_a_three_by_three_matrix_by_hand() -> None:
    assert metrics.average_accuracy(MATRIX) == pytest.approx([80, 65, 215 / 3])
    assert metrics.mean_average_accuracy(MATRIX) == pytest.approx((80 + 65 + 215 / 3) / 3)
    assert metrics.forgetting(MATRIX) == pytest.approx((30 + 0 + 0) / 3)
    assert metrics.backward_transfer(MATRIX) == pytest.approx((-30 + 5) / 2)
    assert metrics.plasticity(MATRIX) == pytest.approx((80 + 70 + 90) / 3)
    assert metrics.stability(MATRIX) == pytest.approx(1 - (30 / 80 + 0) / 2)
    assert metrics.forgetting([[50.0]]) == 0
    assert metrics.stability([[50.0]]) == 1


def test_the_rate_falls_at_the_milestones() -> None:
    config = TrainConfig(iterations=1000)
    assert [learning_rate(config, k) for k in (0, 799, 800, 899, 900, 999)] == pytest.approx(
        [0.03, 0.03, 0.003, 0.003, 0.0003, 0.0003]
    )


def test_cosine_and_warm_up() -> None:
    config = TrainConfig(iterations=100, schedule="cosine", learning_rate=1.0, warmup=0.1)
    assert learning_rate(config, 0) == pytest.approx(0.1)
    assert learning_rate(config, 50) == pytest.approx(0.5)
    assert learning_rate(config, 99) == pytest.approx(0.5 * (1 + math.cos(0.99 * math.pi)))


@given(st.integers(0, 2**31), st.integers(0, 1000))
def test_purposes_and_counters_have_their_own_numbers(seed: int, counter: int) -> None:
    draws = [
        generator(seed, "a", counter).integers(2**62),
        generator(seed, "b", counter).integers(2**62),
        generator(seed, "a", counter + 1).integers(2**62),
        generator(seed + 1, "a", counter).integers(2**62),
    ]
    assert len({int(value) for value in draws}) == 4
    assert generator(seed, "a", counter).integers(2**62) == draws[0]


def test_the_probe_records_what_it_measured_and_changes_nothing() -> None:
    network = build_network(ModelConfig(name="conv2"), 4, 0)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    chosen = probe_precision(TrainConfig(), network, (3, 16, 16))
    assert {name for name, _ in chosen.probe} == {
        "fp32 contiguous", "fp32 channels_last", "bf16 contiguous", "bf16 channels_last",
    }  # fmt: skip
    assert all(seconds > 0 for _, seconds in chosen.probe)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    pinned = probe_precision(TrainConfig(precision="bf16", memory_format="channels_last"), network, (3, 16, 16))
    assert (pinned.bf16, pinned.channels_last, pinned.probe) == (True, True, ())
