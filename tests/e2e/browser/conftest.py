from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from e2e.browser.chrome import Seat, chromium, missing
from e2e.house import Service


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    lack = missing()
    if lack is not None:
        # CI says that it must not be left out.
        if os.environ.get("SEDNA_TEST_BROWSER") == "require":
            pytest.fail(lack)
        pytest.skip(lack)
    with chromium(tmp_path_factory.mktemp("home")) as running:
        yield running


Sit = Callable[..., Seat]


@pytest.fixture
def sit(browser: Browser) -> Iterator[Sit]:
    """Make seats; at the end each has kept the policy and asked nobody else."""
    seats: list[Seat] = []

    def take(service: Service, **options: Any) -> Seat:
        seats.append(Seat(browser, service.url, **options))
        return seats[-1]

    yield take
    for seat in seats:
        seat.check()
        seat.context.close()


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go: SEDNA_TEST_SHOTS, for people who want to look at them."""
    folder = Path(os.environ.get("SEDNA_TEST_SHOTS", tmp_path / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
