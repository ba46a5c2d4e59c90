from __future__ import annotations

import pytest
import torch

from sedna.algorithms.continual.models.cifar_resnet import BasicBlock
from sedna.algorithms.continual.models.factory import NETWORKS, ModelConfig, build_network
from sedna.algorithms.continual.names import NETWORK_NAMES
from sedna.common.errors import SpecError


def test_names_that_are_known_without_torch_are_those_there_are() -> None:
    assert NETWORK_NAMES == NETWORKS


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_from_small_pictures(name: str) -> None:
    width = 4 if name in {"cifar_resnet10", "cifar_resnet34", "cbam18", "senet18", "ran"} else None
    network = build_network(ModelConfig(name=name, width=width), 7, 0)
    x = torch.rand(2, 3, 32, 32)
    logits = network(x)
    assert logits.shape == (2, 7)
    assert network.features(x).shape == (2, network.feature_dim)
    logits.sum().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize(
    ("name", "widths"),
    [("resnet50", (32, 64)), ("resnext50", (2, 4)), ("mobilenet_v2", (16, 32)), ("conv4", (8, 32)), ("ran", (4, 8)),
     ("senet18", (4, 8)), ("cbam18", (4, 8)), ("cifar_resnet18", (4, 8))],
)  # fmt: skip
def test_a_wider_network_has_more_parameters(name: str, widths: tuple[int, int]) -> None:
    narrow, wide = (build_network(ModelConfig(name=name, width=width), 3, 0) for width in widths)
    counts = [sum(p.numel() for p in network.parameters()) for network in (narrow, wide)]
    assert counts[0] < counts[1]
    assert narrow.eval()(torch.rand(1, 3, 32, 32)).shape == (1, 3)


def test_parameters_of_the_networks_of_the_protocols() -> None:
    def count(name: str, width: int | None = None) -> int:
        return sum(p.numel() for p in build_network(ModelConfig(name=name, width=width), 100, 0).parameters())

    assert count("cifar_resnet18") == 11_220_132
    assert count("cifar_resnet18", 20) == pytest.approx(1.11e6, rel=0.01)
    assert count("conv4") == pytest.approx(0.41e6, rel=0.02)


def test_initialisation_of_the_protocol() -> None:
    network = build_network(ModelConfig(name="cifar_resnet10", width=8), 5, 0)
    blocks = [module for module in network.modules() if isinstance(module, BasicBlock)]
    assert all(not block.bn2.weight.any() for block in blocks)
    assert not network.head.bias.any()
    assert float(network.head.weight.detach().std()) == pytest.approx(0.01, rel=0.3)


def test_equal_seeds_give_equal_weights_and_torch_is_left_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    nets = [build_network(ModelConfig(name="conv2"), 5, seed) for seed in (0, 0, 1)]
    assert torch.equal(torch.rand(4), expected)
    weights = [net.head.weight for net in nets]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unknown_names_and_impossible_widths_are_refused() -> None:
    with pytest.raises(SpecError, match="did you mean 'conv4'"):
        build_network(ModelConfig(name="conv5"), 5, 0)
    with pytest.raises(SpecError, match="has no width 32"):
        build_network(ModelConfig(name="vgg16", width=32), 5, 0)
