"""The database of all these tests: SQLite, or with ``SEDNA_TEST_DB=postgresql`` a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures_postgres import PostgresServer, is_there, postgres_server
from fixtures_rights import REFUSED
from globalmanager.db import Database

__all__ = ["postgres_server"]


@pytest.fixture(autouse=True)
def _asks_for_nothing_that_the_chart_forbids() -> Iterator[None]:
    REFUSED.clear()
    yield
    assert REFUSED == []


_CHOSEN = os.environ.get("SEDNA_TEST_DB", "sqlite")


_FILE = "sqlite:////"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests about one of the two are left out where the other one is chosen."""
    for other in {"sqlite", "postgresql"} - {_CHOSEN}:
        for item in items:
            if item.get_closest_marker(other) is not None:
                item.add_marker(pytest.mark.skip(reason=f"about {other}; this run is about {_CHOSEN}"))


class _Stand:
    """For every path of a SQLite file one database of the server: opened again, a path is the same database."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.made: dict[Path, str] = {}

    def url(self, path: Path) -> str:
        path = path.absolute()
        if path not in self.made:
            self.made[path] = self._server.database()
        return self.made[path]

    def drop(self, path: Path) -> None:
        self._server.drop(self.made.pop(path))


@pytest.fixture(scope="session")
def _stand(request: pytest.FixtureRequest) -> Iterator[_Stand | None]:
    """Every `Database` of a path is one of PostgreSQL: nothing else in a test knows."""
    if _CHOSEN == "sqlite":
        yield None
        return
    assert _CHOSEN == "postgresql", f"SEDNA_TEST_DB={_CHOSEN}: sqlite or postgresql"
    assert is_there(), "SEDNA_TEST_DB=postgresql asks for a server, and none is installed: apt-get install postgresql"
    stand = _Stand(request.getfixturevalue("postgres_server"))
    inner = Database.__init__

    def opened(self: Database, url: str | Path, *arguments: object, **options: object) -> None:
        path = Path(f"/{url.removeprefix(_FILE)}") if isinstance(url, str) and url.startswith(_FILE) else url
        inner(self, stand.url(path) if isinstance(path, Path) else path, *arguments, **options)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "__init__", opened)
        yield stand


@pytest.fixture(autouse=True, scope="module")
def _databases_of_a_module(_stand: _Stand | None) -> Iterator[None]:
    yield from _dropped_afterwards(_stand)


@pytest.fixture(autouse=True)
def _databases_of_a_test(_stand: _Stand | None) -> Iterator[None]:
    yield from _dropped_afterwards(_stand)


def _dropped_afterwards(stand: _Stand | None) -> Iterator[None]:
    before = set() if stand is None else set(stand.made)
    yield
    if stand is not None:
        for path in set(stand.made) - before:
            stand.drop(path)
