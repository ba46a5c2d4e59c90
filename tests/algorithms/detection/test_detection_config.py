from __future__ import annotations

from typing import Any

import pytest

from sedna.algorithms.detection.config import FPNConfig
from sedna.common.errors import SpecError


def test_values_may_be_strings() -> None:
    config = FPNConfig.build(
        {
            "learning_rate": "0.1", "momentum": "0.95", "max_iteration": "5", "class_names": "open, short",
            "input_channels": "1", "class_balance": "false", "bf16": "True", "threads": "2",
        }
    )  # fmt: skip
    assert (config.learning_rate, config.momentum, config.max_iteration) == (0.1, 0.95, 5)
    assert config.class_names == ("open", "short")
    assert (config.input_channels, config.class_balance, config.bf16, config.threads) == (1, False, "on", 2)


@pytest.mark.parametrize(
    ("given", "expected"),
    [('["a, b", "c"]', ("a, b", "c")), ("a,b,", ("a", "b")), (["a", "b"], ("a", "b")), ("", ())],
    ids=["json", "commas", "list", "empty"],
)
def test_class_names_come_as_json_commas_or_list(given: Any, expected: tuple[str, ...]) -> None:
    assert FPNConfig.build({"class_names": given}).class_names == expected


@pytest.mark.parametrize(("given", "expected"), [(True, "on"), (False, "off"), ("AUTO", "auto"), ("on", "on")])
def test_bf16_understands_yaml(given: Any, expected: str) -> None:
    assert FPNConfig.build({"bf16": given}).bf16 == expected


def test_an_unknown_key_names_the_allowed_ones() -> None:
    with pytest.raises(SpecError, match=r"unknown hyper-parameter lr .*learning_rate"):
        FPNConfig.build({"lr": 0.1})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("learning_rate", "fast"), ("learning_rate", 0), ("learning_rate", "nan"), ("momentum", 1), ("input_size", 100),
        ("crop_size", 33), ("backbone", "vgg"), ("class_names", "a,a"), ("class_names", "[1"), ("input_channels", 2),
        ("bf16", "maybe"), ("replay_ratio", 1.5), ("batch_size", 0),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_its_place(key: str, value: Any) -> None:
    with pytest.raises(SpecError, match=rf"^FPN\.{key}: "):
        FPNConfig.build({key: value})


def test_values_are_laid_over_a_base() -> None:
    base = FPNConfig.build({"class_names": "a", "seed": 3})
    assert FPNConfig.build({"seed": 4}, base=base).class_names == ("a",)
    assert base.seed == 3


def test_epochs_take_the_place_of_steps() -> None:
    config = FPNConfig.build({"epochs": "2.5", "batch_size": 8})
    assert [config.for_samples(count).max_iteration for count in (1, 8, 64)] == [1, 3, 20]
    assert FPNConfig.build({"max_iteration": 7}).for_samples(64).max_iteration == 7


def test_every_field_says_what_it_means() -> None:
    assert [name for name, info in FPNConfig.model_fields.items() if not info.description] == []


@pytest.mark.parametrize(
    ("given", "bf16", "channels_last"),
    [
        ({}, (False, True), (True, False)),
        ({"bf16": "off"}, (False,), (True,)),
        ({"bf16": "on", "memory_format": "contiguous"}, (True,), (False,)),
        ({"memory_format": "channels_last"}, (False, True), (True,)),
    ],
)
def test_what_the_probe_may_choose(
    given: dict[str, str], bf16: tuple[bool, ...], channels_last: tuple[bool, ...]
) -> None:
    config = FPNConfig.build(given)
    assert (config.allowed_bf16, config.allowed_channels_last) == (bf16, channels_last)
