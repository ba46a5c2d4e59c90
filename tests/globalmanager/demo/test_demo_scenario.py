"""The example folder is checked before anything starts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from globalmanager.api.manifests import read_manifests
from globalmanager.demo.conductor import BAD_PARAMETERS
from globalmanager.demo.scenario import load_scenario
from sedna.common.errors import DataError, IntegrityError, NotFoundError
from sedna.loop.spec import IncrementalLearningJob

EXAMPLE = Path(__file__).parents[3] / "examples" / "01_pcb_inspection"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    folder = tmp_path / "example"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("initial_model"))
    return folder


def test_the_shipped_example_is_whole() -> None:
    scenario = load_scenario(EXAMPLE)
    assert {part: len(boards) for part, boards in scenario.parts.items()} == {
        "holdout": 66,
        "stream-1": 80,
        "stream-2": 80,
    }
    samples = [board.sample for boards in scenario.parts.values() for board in boards]
    assert len(set(samples)) == len(samples), "no board serves two parts"


def test_the_job_fits_the_boards_and_the_bad_parameters_exist() -> None:
    scenario = load_scenario(EXAMPLE)
    (job,) = [entry for entry in read_manifests(scenario.job_path) if isinstance(entry, IncrementalLearningJob)]
    assert job.spec.class_names == scenario.class_names
    from sedna.algorithms.detection.config import FPNConfig

    algorithm = job.spec.train_spec.algorithm
    assert algorithm is not None
    FPNConfig.build({**algorithm.parameters, **BAD_PARAMETERS})


def test_the_repository_stays_small() -> None:
    assert sum(path.stat().st_size for path in (EXAMPLE / "data").iterdir()) <= 6 * 2**20
    assert sum(path.stat().st_size for path in (EXAMPLE / "initial_model").iterdir()) <= 4 * 2**20


def test_no_example() -> None:
    with pytest.raises(NotFoundError, match="--example"):
        load_scenario(Path("nowhere"))


def test_a_damaged_board(copy: Path) -> None:
    board = next(iter(sorted((copy / "data").iterdir())))
    board.write_bytes(board.read_bytes()[:-1] + b"x")
    with pytest.raises(IntegrityError, match=board.name):
        load_scenario(copy)


def test_a_missing_board(copy: Path) -> None:
    next(iter((copy / "data").iterdir())).unlink()
    with pytest.raises(NotFoundError, match="board is missing"):
        load_scenario(copy)


def test_a_manifest_without_a_part(copy: Path) -> None:
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["boards"] = [board for board in manifest["boards"] if board["part"] != "stream-2"]
    path.write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="no boards for stream-2"):
        load_scenario(copy)


def test_no_manifest(copy: Path) -> None:
    (copy / "manifest.json").write_text("[]")
    with pytest.raises(DataError, match="not a manifest"):
        load_scenario(copy)
