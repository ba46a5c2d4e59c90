import pytest
from operator_world import OperatorWorld

from fixtures_gm import new_world


@pytest.fixture
def there():
    with new_world() as world:
        yield OperatorWorld(world)
