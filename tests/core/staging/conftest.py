import pytest

from fixtures_orders import Orders
from sedna.core.staging import NodeCache, WorkFolder


@pytest.fixture
def orders(tmp_path):
    return Orders(tmp_path)


@pytest.fixture
def folder(tmp_path):
    return WorkFolder(tmp_path / "work")


@pytest.fixture
def cache(tmp_path):
    return NodeCache(tmp_path / "cache")
