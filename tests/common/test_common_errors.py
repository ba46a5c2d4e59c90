import pickle

import pytest

from sedna.common import errors
from sedna.common.errors import AuthError, DataError, PermanentError, SednaError, TemporaryError, UserError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, SednaError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_says_what_where_and_what_would_be_right(kind):
    error = kind("is wrong", where="job.yaml:3", hint="a number")
    assert str(error) == "job.yaml:3: is wrong (a number)"
    assert str(kind("is wrong")) == "is wrong"
    assert kind.__doc__
    assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_tells_the_engine_what_to_do_next(kind):
    if kind is not SednaError:
        assert sum(issubclass(kind, branch) for branch in (UserError, PermanentError, TemporaryError)) == 1


@pytest.mark.parametrize(
    "error",
    [
        DataError("is wrong", where="a", hint="b"),
        AuthError("no", forbidden=True),
        TemporaryError("later", where="x", retry_after=30.0),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_cross_process_boundaries(error):
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is type(error)
    assert vars(twin) == vars(error)
    assert str(twin) == str(error)
