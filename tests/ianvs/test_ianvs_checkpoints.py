"""Checkpoints: what is taken, what is not, and what cannot be kept."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ianvs.cases.checkpoints import CHECKPOINT, Checkpoints, _framed, _payload, is_resumable, locked_folder
from ianvs.cases.measurements import Stopwatch
from ianvs.cases.meters import CaseMeter, ResourceUsage
from sedna.common.errors import ConflictError, DataError

KEY, OTHER = "a" * 64, "b" * 64


class Remembered:
    """Code that a checkpoint refers to."""


def test_what_an_earlier_process_spent_counts(tmp_path: Path) -> None:
    first = Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch()))
    first.meter.carry(ResourceUsage(seconds=100.0, algorithm_seconds=50.0, cpu_seconds=70.0))
    first.save(1, ["parts"])
    second = Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch()))
    kept = second.restore()
    assert kept is not None
    assert (kept.pieces, kept.parts, kept.estimator) == (1, ["parts"], None)
    usage = second.meter.usage()
    assert usage.seconds > 100.0
    assert usage.cpu_seconds >= 70.0
    assert usage.algorithm_seconds == 50.0


def test_answers_that_cannot_be_pickled_stop_nothing(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch()))
    checkpoints.save(1, ["fine"])
    checkpoints.save(2, [threading.Lock()])
    assert "what it answered cannot be pickled" in checkpoints.notes[0]
    kept = checkpoints.restore()
    assert kept is not None
    assert (kept.pieces, kept.parts) == (1, ["fine"])


def test_a_checkpoint_of_other_code_is_told(tmp_path: Path) -> None:
    Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch())).save(1, Remembered)
    path = tmp_path / CHECKPOINT
    data = _payload(path, KEY)
    assert data is not None
    path.write_bytes(_framed(KEY, data.replace(b"Remembered", b"Forgotten!")))
    with pytest.raises(DataError, match="the checkpoint cannot be read"):
        Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch())).restore()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data.replace(KEY.encode(), OTHER.encode()),
        lambda data: data.partition(b" ")[2],
        lambda data: b"",
        None,
    ],
    ids=["torn", "another's", "of an earlier format", "empty", "gone"],
)
def test_what_is_no_checkpoint_is_not_taken(tmp_path: Path, damage: Callable[[bytes], bytes] | None) -> None:
    checkpoints = Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch()))
    checkpoints.save(1, [])
    assert is_resumable(tmp_path, KEY)
    path = tmp_path / CHECKPOINT
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    assert not is_resumable(tmp_path, KEY)
    assert checkpoints.restore() is None


def test_a_test_case_that_is_running_is_left_alone(tmp_path: Path) -> None:
    Checkpoints(tmp_path, KEY, CaseMeter(None, Stopwatch())).save(1, [])
    with locked_folder(tmp_path):
        assert not is_resumable(tmp_path, KEY)
        with pytest.raises(ConflictError, match="another process runs this test case"), locked_folder(tmp_path):
            pass
    assert is_resumable(tmp_path, KEY)
