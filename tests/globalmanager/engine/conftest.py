import pytest

from fixtures_gm import world_in


@pytest.fixture
def world(tmp_path):
    with world_in(tmp_path) as made:
        yield made
