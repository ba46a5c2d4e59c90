from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path) as made:
        yield made
