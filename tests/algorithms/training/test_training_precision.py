from __future__ import annotations

import pytest
import torch
from torch import nn

from sedna.algorithms.training.device import choose_device, cpu_threads, on_cpu, repeatable_kernels
from sedna.algorithms.training.precision import Precision, choose_precision, clearly_fastest
from sedna.common.errors import SpecError


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ({"fp32": 1.0, "bf16": 0.95}, "fp32"),
        ({"fp32": 1.0, "bf16": 0.85}, "bf16"),
        ({"fp32": 1.0, "fp32 last": 0.8, "bf16": 0.7, "bf16 last": 0.6}, "bf16 last"),
        ({"fp32": 1.0, "fp32 last": 0.95, "bf16": 2.0}, "fp32"),
    ],
)
def test_another_precision_must_be_clearly_faster(seconds: dict[str, float], expected: str) -> None:
    assert clearly_fastest(seconds) == expected


def _network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 1))


def test_the_probe_tries_every_combination_and_leaves_the_network_as_it_was() -> None:
    network, tried = _network(), set()
    before = {key: value.clone() for key, value in network.state_dict().items()}

    def loss_of(precision: Precision) -> torch.Tensor:
        tried.add(precision.name)
        with precision.autocast():
            return network(torch.ones(2, 3, 8, 8)).float().sum()

    chosen = choose_precision(network, loss_of, bf16=(False, True), channels_last=(True, False))
    names = ["fp32 channels_last", "fp32 contiguous", "bf16 channels_last", "bf16 contiguous"]
    assert [name for name, _ in chosen.probe] == names
    assert tried == set(names)
    assert chosen.name == clearly_fastest(dict(chosen.probe))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert network[0].weight.is_contiguous(memory_format=chosen.memory_format)


def test_what_is_given_is_not_measured() -> None:
    def loss_of(precision: Precision) -> torch.Tensor:
        raise AssertionError("measured")

    chosen = choose_precision(_network(), loss_of, bf16=(True,), channels_last=(False,))
    assert (chosen.name, chosen.probe) == ("bf16 contiguous", ())


def test_the_device_of_a_configuration() -> None:
    assert choose_device("cpu", where="here") == torch.device("cpu")
    if torch.cuda.is_available():
        assert choose_device("auto", where="here") == choose_device("cuda", where="here") == torch.device("cuda")
    else:
        assert choose_device("auto", where="here") == torch.device("cpu")
        with pytest.raises(SpecError, match=r"^here: there is no CUDA device"):
            choose_device("cuda", where="here")


def test_threads_are_put_back_also_after_an_error() -> None:
    before, within = torch.get_num_threads(), []

    def fail() -> None:
        with cpu_threads(before + 1):
            within.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert within == [before + 1]
    with cpu_threads(0):
        assert torch.get_num_threads() == before
    assert torch.get_num_threads() == before


def test_settings_of_kernels_are_put_back() -> None:
    backend = torch.backends.cudnn
    before = backend.deterministic, backend.benchmark
    with repeatable_kernels(torch.device("cuda")):
        assert (backend.deterministic, backend.benchmark) == (True, False)
    assert (backend.deterministic, backend.benchmark) == before


def test_a_module_on_the_cpu_is_not_copied_and_one_elsewhere_is_left_there() -> None:
    network = _network()
    assert on_cpu(network) is network
    mixed = nn.Linear(1, 1)
    mixed.register_buffer("far", torch.zeros(0, device="meta"), persistent=False)
    assert on_cpu(mixed) is mixed  # the ones that are saved count
