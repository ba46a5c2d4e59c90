import pytest

from fixtures_gm import new_world


@pytest.fixture
def world():
    with new_world() as made:
        yield made
