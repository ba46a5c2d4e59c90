from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sedna.algorithms.continual.memory.columns import image_columns
from sedna.algorithms.continual.memory.disk import DiskTier
from sedna.common.errors import ConflictError, DataError, StorageFullError

COLUMNS = image_columns((3, 4, 4))


def _row(number: int) -> dict[str, object]:
    return {"image": np.full((3, 4, 4), number % 256, np.uint8), "label": number % 7, "task": 0, "id": number}


def test_records_are_read_back_and_counted_to_the_byte(tmp_path: Path) -> None:
    with DiskTier(tmp_path / "tier", COLUMNS, 3) as tier:
        for number in range(3):
            tier.put(number, _row(number))
        tier.put(1, _row(9))
        assert tier.column("id").tolist() == [0, 9, 2]
        assert tier.rows(np.asarray([1]))["image"].tolist() == np.full((1, 3, 4, 4), 9).tolist()
        assert tier.record_bytes == 48 + 3 * 8
        assert tier.nbytes == 3 * tier.record_bytes
        assert tier.file_bytes == 4 * tier.record_bytes


@pytest.mark.parametrize("written", [0, 100, 4096])
def test_a_file_that_was_given_up_while_it_was_made_is_made_anew(tmp_path: Path, written: int) -> None:
    DiskTier(tmp_path / "tier", COLUMNS, 3, owner="run").close()
    header = (tmp_path / "tier").read_bytes()[:written]
    (tmp_path / "tier").write_bytes(header)
    with DiskTier(tmp_path / "tier", COLUMNS, 3, owner="run") as tier:
        tier.put(0, _row(5))
        assert tier.column("id").tolist() == [5]
    (tmp_path / "tier").write_bytes(header)
    if written == 4096:
        with pytest.raises(ConflictError, match="another configuration"):
            DiskTier(tmp_path / "tier", COLUMNS, 3, owner="another run")


def test_what_the_last_checkpoint_refers_to_survives_everything_after_it(tmp_path: Path) -> None:
    tier = DiskTier(tmp_path / "tier", COLUMNS, 4)
    for number in range(4):
        tier.put(number, _row(number))
    pointers = tier.commit()
    tier.release(pointers)
    for number in range(100, 140):  # never committed: the process is killed here
        tier.put(number % 4, _row(number))
    tier.close()
    with DiskTier(tmp_path / "tier", COLUMNS, 4) as again:
        again.restore(pointers)
        assert again.column("id").tolist() == [0, 1, 2, 3]
        assert again.rows(np.arange(4))["image"][:, 0, 0, 0].tolist() == [0, 1, 2, 3]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.integers(0, 4), st.just("save"), st.just("back")), max_size=60))
def test_restore_gives_the_committed_content_and_the_file_stays_bounded(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int | str]
) -> None:
    capacity = 5
    tier = DiskTier(tmp_path_factory.mktemp("tier") / "tier", COLUMNS, capacity)
    live: list[int] = []
    saved: list[int] = []
    pointers = tier.commit()
    tier.release(pointers)
    for number, step in enumerate(steps):
        if step == "save":
            pointers, saved = tier.commit(), list(live)
            tier.release(pointers)
        elif step == "back":
            tier.restore(pointers)
            live = list(saved)
        else:
            slot = min(int(step), len(live))
            tier.put(slot, _row(number))
            live[slot : slot + 1] = [number]
        assert tier.column("id").tolist() == live
        assert tier.file_bytes <= (2 * capacity + 1) * tier.record_bytes
    tier.close()


def test_a_file_of_another_run_or_shape_is_refused(tmp_path: Path) -> None:
    DiskTier(tmp_path / "tier", COLUMNS, 4, owner="run A").close()
    with pytest.raises(ConflictError, match="another configuration"):
        DiskTier(tmp_path / "tier", COLUMNS, 4, owner="run B")
    with pytest.raises(ConflictError, match="another configuration"):
        DiskTier(tmp_path / "tier", image_columns((3, 8, 8)), 4, owner="run A")
    (tmp_path / "other").write_bytes(b"hello" * 2000)
    with pytest.raises(DataError, match="no disk tier"):
        DiskTier(tmp_path / "other", COLUMNS, 4)
    with DiskTier(tmp_path / "tier", COLUMNS, 4, owner="run A") as tier, pytest.raises(ConflictError, match="pointers"):
        tier.restore(np.asarray([0, 99]))


def test_a_checkpoint_whose_file_is_gone_is_not_answered_with_empty_records(tmp_path: Path) -> None:
    with DiskTier(tmp_path / "tier", COLUMNS, 4) as tier:
        tier.put(0, _row(7))
        pointers = tier.commit()
        tier.release(pointers)
        tier.restore(pointers)
    (tmp_path / "tier").unlink()
    with DiskTier(tmp_path / "tier", COLUMNS, 4) as tier, pytest.raises(DataError, match="the 1 records"):
        tier.restore(pointers)


def test_a_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    DiskTier(tmp_path / "tier", COLUMNS, 4).close()
    with (tmp_path / "tier").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(DataError, match="cut off"):
        DiskTier(tmp_path / "tier", COLUMNS, 4)


def _fill(tier: DiskTier) -> None:
    for number in range(tier.capacity):
        tier.put(number, _row(number))


@pytest.fixture
def small_files() -> Iterator[None]:
    """Files may not grow over 5,000 bytes: what a full disk or a quota looks like to a process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_an_error_that_leaves_the_tier_usable(tmp_path: Path, small_files: None) -> None:
    with DiskTier(tmp_path / "tier", COLUMNS, 100) as tier:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, hard))
        with pytest.raises(StorageFullError):
            _fill(tier)
        stored = len(tier)
        assert 0 < stored < 100
        assert tier.column("id").tolist() == list(range(stored))
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        tier.put(stored, _row(stored))
        assert len(tier) == stored + 1
