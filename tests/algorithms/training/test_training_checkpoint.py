from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from sedna.algorithms.training.checkpoint import (
    RunState,
    optimizer_tensors,
    read_checkpoint,
    restore_optimizer,
    write_checkpoint,
)
from sedna.common.errors import ConflictError, ModelError


def test_state_and_tensors_come_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "c.safetensors"
    shared = torch.arange(6.0)
    tensors = {"whole": shared, "part": shared[:3], "turned": shared.reshape(2, 3).T}
    state = RunState(run="r", iteration=3, bf16=True)
    write_checkpoint(path, state, tensors, key="k")
    stored = read_checkpoint(path, RunState, "r", key="k")
    assert stored is not None
    assert stored[0] == state
    assert all(torch.equal(stored[1][name], value) for name, value in tensors.items())
    stored[1]["whole"].zero_()  # a copy, not a view of the file
    assert float(shared.sum()) == 15


def test_none_and_one_of_another_run(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    assert read_checkpoint(path, RunState, "r", key="k") is None
    write_checkpoint(path, RunState(run="r"), {}, key="k")
    with pytest.raises(ConflictError, match=r"c\.safetensors: the checkpoint belongs to a run with another"):
        read_checkpoint(path, RunState, "other", key="k")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        (None, "is no checkpoint: 'k'"),
        ({"k": "{}"}, "is no checkpoint: run: Field required"),
        ({"k": '{"run": "r", "iteration": "x"}'}, "is no checkpoint: iteration: Input should be a valid integer"),
        ({"k": "["}, "is no checkpoint: Invalid JSON"),
    ],
)
def test_a_damaged_state_is_named_in_one_line(tmp_path: Path, metadata: dict[str, str] | None, message: str) -> None:
    path = tmp_path / "c.safetensors"
    safetensors.torch.save_file({"w": torch.zeros(1)}, path, metadata)
    with pytest.raises(ModelError, match=rf"c\.safetensors: {message}.*delete it to start anew") as caught:
        read_checkpoint(path, RunState, "r", key="k")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.SGD])
def test_a_restored_optimizer_makes_the_same_step(kind: type[torch.optim.Optimizer]) -> None:
    def make() -> tuple[nn.Linear, torch.optim.Optimizer]:
        torch.manual_seed(0)
        network = nn.Linear(3, 1)
        options = {"momentum": 0.9} if kind is torch.optim.SGD else {}
        return network, kind(network.parameters(), lr=0.1, **options)  # type: ignore[call-arg]

    def step(network: nn.Linear, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        network(torch.ones(2, 3)).square().sum().backward()
        optimizer.step()

    whole, optimizer = make()
    step(whole, optimizer)
    kept = {name: value.clone() for name, value in optimizer_tensors(optimizer).items()}
    assert kept
    other, resumed = make()
    other.load_state_dict(whole.state_dict())
    restore_optimizer(resumed, kept)
    step(whole, optimizer)
    step(other, resumed)
    assert torch.equal(whole.weight, other.weight)
