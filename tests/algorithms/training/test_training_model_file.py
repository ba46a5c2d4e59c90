from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from sedna.algorithms.training.model_file import (
    ModelHeader,
    find_model,
    load_classes,
    model_path,
    read_model,
    write_model,
)
from sedna.common.errors import ModelError, SpecError

HEAD = ("weight", "bias")


def grow(network: nn.Linear, weights: dict[str, torch.Tensor], known: str, wanted: str) -> None:
    load_classes(
        network, weights, head=HEAD, known=known.split(), wanted=wanted.split(), where="m.safetensors", algorithm="FPN"
    )


def test_a_header_and_its_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "m.safetensors"
    turned = torch.arange(6.0).reshape(2, 3).T  # not contiguous
    write_model(path, ModelHeader(class_names=("a", "b")), {"w": turned.requires_grad_()}, key="k")
    header, tensors = read_model(path, ModelHeader, key="k", algorithm="FPN")
    assert header.class_names == ("a", "b")
    assert torch.equal(tensors["w"], turned)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "is no FPN model: 'k'"),
        ({"other": "{}"}, "is no FPN model: 'k'"),
        ({"k": "{"}, "is no FPN model: Invalid JSON"),
        ({"k": "{}"}, "is no FPN model: class_names: Field required"),
        ({"k": '{"class_names": ["a"], "colour": 1}'}, "is no FPN model: colour: Extra inputs"),
        ({"k": '{"class_names": ["a"], "version": 2}'}, "format version 2 is unknown"),
    ],
)
def test_a_file_of_something_else_is_named_in_one_line(
    tmp_path: Path, metadata: dict[str, str] | None, message: str
) -> None:
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(1)}, path, metadata)
    with pytest.raises(ModelError, match=rf"m\.safetensors: {message}") as caught:
        read_model(path, ModelHeader, key="k", algorithm="FPN")
    assert "\n" not in str(caught.value)


def test_rows_of_known_classes_move_and_new_ones_stay() -> None:
    network = nn.Linear(2, 3)
    fresh = network.weight.detach().clone()
    grow(network, {"weight": torch.tensor([[1.0, 1], [2, 2]]), "bias": torch.tensor([1.0, 2])}, "a b", "b new a")
    assert torch.equal(network.weight[0], torch.full((2,), 2.0))
    assert torch.equal(network.weight[1], fresh[1])
    assert torch.equal(network.weight[2], torch.full((2,), 1.0))
    assert network.bias[[0, 2]].tolist() == [2, 1]


@pytest.mark.parametrize("shape", [(2, 5), (1, 2), (2,), (2, 2, 1)])
def test_a_head_of_another_shape_is_refused_by_name(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match=r"m\.safetensors: weights do not fit: .*weight"):
        grow(nn.Linear(2, 3), {"weight": torch.zeros(shape), "bias": torch.zeros(2)}, "a b", "a b c")


def test_a_known_class_must_be_wanted() -> None:
    with pytest.raises(ModelError, match=r"the model knows b, class_names does not.*with at least a, b"):
        grow(nn.Linear(2, 2), {"weight": torch.zeros(2, 2), "bias": torch.zeros(2)}, "a b", "a c")


def test_where_a_model_is_written_and_found(tmp_path: Path) -> None:
    assert model_path(tmp_path / "m.safetensors") == tmp_path / "m.safetensors"
    assert model_path(tmp_path / "models") == tmp_path / "models" / "model.safetensors"
    with pytest.raises(SpecError, match=r"m\.safetensors, or a folder"):
        model_path(tmp_path / "m.onnx")
    with pytest.raises(ModelError, match=r"0 \.safetensors files in it"):
        find_model(tmp_path, algorithm="FPN")
    (tmp_path / "model.safetensors").touch()
    assert find_model(tmp_path, algorithm="FPN") == tmp_path / "model.safetensors"
