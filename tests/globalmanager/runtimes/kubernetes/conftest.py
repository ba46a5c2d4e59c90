from __future__ import annotations

from pathlib import Path

import pytest

from fixtures_orders import Orders
from fixtures_pods import PodDesk


@pytest.fixture
def desk(tmp_path: Path) -> PodDesk:
    return PodDesk(Orders(tmp_path))
