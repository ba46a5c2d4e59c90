from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.house import House
from fixtures_s3 import s3_server

__all__ = ["house", "s3_server"]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as made:
        yield made
