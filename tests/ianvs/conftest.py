"""A small benchmark in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ianvs_bench import Bench, make_bench, make_data


@pytest.fixture(scope="session")
def shared_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("ianvs-data"))


@pytest.fixture
def bench(tmp_path: Path, shared_data: Path) -> Bench:
    return make_bench(tmp_path / "bench", shared_data)
