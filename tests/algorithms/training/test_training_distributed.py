"""Shares of a batch, put together: two real processes, against cases computed by hand and against one process."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from fixtures_group import run_group
from sedna.algorithms.training.distributed import SINGLE, Group
from sedna.algorithms.training.process_group import joined
from sedna.algorithms.training.sync_norm import plain, synchronised
from sedna.common.errors import SpecError
from sedna.common.process_rank import ProcessRank

TOGETHER = """
import copy, pathlib
import numpy as np
from torch import nn
from sedna.algorithms.training.process_group import joined
from sedna.algorithms.training.sync_norm import synchronised
from sedna.common.errors import ConflictError

with joined("cpu", where="test") as group:
    rank, found = group.rank, {}
    x = torch.tensor([[1.0], [2.0], [3.0]])

    def gradient(rows, of=lambda y, w: (y ** 2).mean()):
        line = nn.Linear(1, 1, bias=False)
        nn.init.ones_(line.weight)
        of(group.split(line, rows), line.weight).backward()
        group.average_gradients(line.parameters())
        return line.weight.grad.item()

    found["gradient"] = gradient(x)
    found["one row"] = gradient(x[:1])
    found["penalty"] = gradient(x, lambda y, w: (y ** 2).mean() + 5 * (w ** 2).sum())
    found["nan"] = gradient(x * (float("nan") if rank else 1.0))
    found["total"] = group.total(rank + 0.5)
    found["leader"] = group.from_leader(lambda: {"rank": rank, "loss": float("nan")})
    pixels = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)
    found["pixels"] = bool((group.gather_pixels(pixels[group.part(5)], 5) == pixels).all())

    for count in (5, 1):
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3))
        synchronised(network, group)
        batch = torch.randn(count, 2, 6, 6)
        out = group.split(network, batch)
        (out * torch.randn(count, 3, 4, 4)).mean().backward()
        group.average_gradients(network.parameters())
        norms = {key: value.tolist() for key, value in network.state_dict().items()}
        gradients = [parameter.grad.flatten().tolist() for parameter in network.parameters()]
        found[f"norm {count}"] = [out.flatten().tolist(), gradients, norms]

    try:
        synchronised(nn.Sequential(nn.BatchNorm2d(2)), group)
        group.split(synchronised(nn.BatchNorm2d(2), group), torch.zeros(1, 2, 1, 1))
    except ValueError as error:
        found["one value"] = str(error)
    try:
        group.require_equal(f"data of {rank}", "data")
    except ConflictError as error:
        found["differ"] = str(error)
    group.require_equal("the same", "data")

    shared = pathlib.Path(given["folder"])
    with group.folder(shared) as own:
        found["folder"] = [str(own) == str(shared), (own / "deep" / "a.bin").read_bytes().hex()]
        sparse = (own / "sparse").read_bytes()
        found["sparse"] = [len(sparse), sparse.rstrip(b"e") == bytes(9 << 20)]
        (own / f"new-{rank}").write_text("x")
    group.barrier()
    answer(found)
"""


@pytest.fixture(scope="module")
def together(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "deep").mkdir()
    (folder / "deep" / "a.bin").write_bytes(b"\x01\x02")
    with (folder / "sparse").open("wb") as file:
        file.seek(9 << 20)
        file.write(b"e")
    found = run_group(TOGETHER, 2, folder=str(folder))
    assert (folder / "new-0").exists()
    assert not (folder / "new-1").exists(), "only what the leader writes stays"
    return found


def test_the_gradient_of_unequal_shares_is_that_of_the_whole_batch(together: list[dict]) -> None:
    # d/dw mean((w x)^2) at w = 1 is 2 x^2: 2 of the first share, 8 and 18 of the second. By rows (2 + 8 + 18) / 3; the
    # mean of the means of the shares, 2 and 13, would be 7.5.
    assert [one["gradient"] for one in together] == [pytest.approx(28 / 3, abs=1e-6)] * 2


def test_a_process_without_a_row_adds_nothing(together: list[dict]) -> None:
    assert [one["one row"] for one in together] == [2.0, 2.0]


def test_what_every_process_computes_in_whole_counts_once(together: list[dict]) -> None:
    assert [one["penalty"] for one in together] == [pytest.approx(28 / 3 + 10, abs=1e-5)] * 2


def test_a_nan_of_one_process_is_seen_by_all(together: list[dict]) -> None:
    assert all(math.isnan(one["nan"]) for one in together)


def test_numbers_decisions_and_pictures_reach_all(together: list[dict]) -> None:
    for one in together:
        assert one["total"] == 2.0
        assert one["leader"]["rank"] == 0
        assert math.isnan(one["leader"]["loss"])
        assert one["pixels"]


@pytest.mark.parametrize("count", [5, 1])
def test_batch_norm_measures_all_shares(together: list[dict], count: int) -> None:
    """Also where a process has no row: outputs, gradients and running statistics are those of torch's own layer."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1), nn.BatchNorm2d(3))
    out = network(torch.randn(count, 2, 6, 6))
    (out * torch.randn(count, 3, 4, 4)).mean().backward()
    for one in together:
        outputs, gradients, norms = one[f"norm {count}"]
        np.testing.assert_allclose(outputs, out.detach().flatten(), atol=2e-6)
        for mine, parameter in zip(gradients, network.parameters(), strict=True):
            np.testing.assert_allclose(mine, parameter.grad.flatten(), atol=2e-6)
        for key, value in network.state_dict().items():
            np.testing.assert_allclose(norms[key], value, atol=2e-6)
    assert together[0][f"norm {count}"] == together[1][f"norm {count}"], "the same bits in both"


def test_one_value_a_channel_is_refused_as_by_torch(together: list[dict]) -> None:
    assert all("more than 1 value per channel" in one["one value"] for one in together)


def test_processes_with_different_data_are_told_apart(together: list[dict]) -> None:
    assert all("the processes of this training differ in data" in one["differ"] for one in together)


def test_each_process_has_a_folder_of_its_own(together: list[dict]) -> None:
    assert [one["folder"] for one in together] == [[True, "0102"], [False, "0102"]]
    assert [one["sparse"] for one in together] == [[(9 << 20) + 1, True]] * 2


def test_a_failure_of_one_process_is_the_error_of_the_other() -> None:
    program = """
    from sedna.algorithms.training.process_group import joined
    from sedna.common.errors import DataError, SednaError
    try:
        with joined("cpu", where="test") as group:
            if group.rank == 1:
                raise DataError("cannot be read", where="p7.png", hint="a picture")
            group.barrier()
    except SednaError as error:
        answer([type(error).__name__, str(error)])
    """
    assert run_group(program, 2) == [["DataError", "p7.png: cannot be read (a picture)"]] * 2


def test_a_process_that_is_killed_is_a_temporary_failure_of_the_other() -> None:
    program = """
    import signal
    from sedna.algorithms.training.process_group import joined
    from sedna.common.errors import TemporaryError
    try:
        with joined("cpu", where="test") as group:
            group.barrier()
            if group.rank == 1:
                answer("killed")
                os._exit(0)
            group.barrier()
    except TemporaryError as error:
        answer([type(error).__name__, str(error)])
    """
    told, killed = run_group(program, 2)
    assert killed == "killed"
    assert told[0] == "GroupLostError"
    assert told[1].startswith("process 0 of 2: another process of this training is gone")


def test_one_process_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    with joined("cpu", where="test") as group:
        assert group is SINGLE
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    assert [type(layer) for layer in synchronised(network, SINGLE).modules()] == [
        nn.Sequential, nn.Linear, nn.BatchNorm1d,
    ]  # fmt: skip
    x = torch.ones(3, 2)
    assert torch.equal(SINGLE.split(copy.deepcopy(network), x), network(x))
    with SINGLE.folder(tmp_path / "new") as own:
        assert own == tmp_path / "new"
    assert SINGLE.from_leader(lambda: object) is object
    assert SINGLE.threads(0) == 0


def test_shares_cover_the_batch_and_differ_by_one_row_at_most() -> None:
    for size in (1, 2, 3, 5):
        group = Group(ProcessRank(0, size))
        for count in range(12):
            parts = [group.part(count, rank) for rank in range(size)]
            assert [part.stop for part in parts[:-1]] == [part.start for part in parts[1:]]
            assert (parts[0].start, parts[-1].stop) == (0, count)
            lengths = [part.stop - part.start for part in parts]
            assert max(lengths) - min(lengths) <= 1


def test_threads_of_a_machine_are_divided() -> None:
    group = Group(ProcessRank(1, 4, 1, 2))
    assert [group.threads(count) for count in (0, 1, 4, 5)] == [0, 1, 2, 2]


def test_layers_become_torchs_own_again() -> None:
    network = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm1d(2), nn.BatchNorm3d(2))
    before = list(network.state_dict())
    changed = copy.deepcopy(synchronised(network, Group(ProcessRank(0, 2))))
    assert [type(layer).__name__ for layer in changed] == ["_Synced2d", "_Synced1d", "_Synced3d"]
    assert list(changed.state_dict()) == before
    assert [type(layer) for layer in plain(changed)] == [nn.BatchNorm2d, nn.BatchNorm1d, nn.BatchNorm3d]


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({}, "MASTER_ADDR: is not set, but WORLD_SIZE is"),
        ({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1", "SEDNA_GROUP_TIMEOUT": "soon"}, "'soon' is no time"),
    ],
)
def test_a_launcher_that_says_half_is_named(monkeypatch: pytest.MonkeyPatch, env: dict[str, str], words: str) -> None:
    for name in ("MASTER_ADDR", "MASTER_PORT", "LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", **env}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SpecError, match=words), joined("cpu", where="test"):
        pass
