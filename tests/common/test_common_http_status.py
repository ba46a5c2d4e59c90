import pytest

from sedna.common.errors import (
    AuthError,
    LinkUnavailableError,
    NotFoundError,
    PermanentError,
    StoreUnavailableError,
)
from sedna.common.http_status import error_of_status


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, PermanentError),
        (400, PermanentError),
        (401, AuthError),
        (403, AuthError),
        (404, NotFoundError),
        (408, StoreUnavailableError),
        (410, NotFoundError),
        (422, PermanentError),
        (429, StoreUnavailableError),
        (500, StoreUnavailableError),
        (503, StoreUnavailableError),
    ],
)
def test_what_a_status_means(status, kind):
    error = error_of_status(status, "said so", "http://h/x", unavailable=StoreUnavailableError)
    assert type(error) is kind
    assert str(error) == "http://h/x: said so"


def test_who_is_unavailable_says_the_caller_and_whether_a_token_is_known_the_status():
    assert isinstance(error_of_status(500, "", "", unavailable=LinkUnavailableError), LinkUnavailableError)
    known = [error_of_status(status, "", "", unavailable=LinkUnavailableError) for status in (401, 403)]
    assert [error.forbidden for error in known if isinstance(error, AuthError)] == [False, True]
