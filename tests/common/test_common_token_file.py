import pytest

from sedna.common.errors import AuthError
from sedna.common.token_file import check_token, read_token_file


def test_a_token_is_read_without_what_an_editor_adds(tmp_path):
    path = tmp_path / "token"
    path.write_text(" abc-DEF_123~\n")
    assert read_token_file(path) == "abc-DEF_123~"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\n", b"NAME   TOKEN\nline-3 s3cr3t\n", b"s3cr3t s3cr3t", "s3cr3t\u00e9".encode(), b"s3cr3t\x00",
        b"s3cr3t" * 2000,
    ],
    ids=["empty", "blank", "a table", "two", "not ASCII", "a zero byte", "a whole file"],
)  # fmt: skip
def test_what_is_no_token_is_refused_and_not_shown(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(AuthError, match="this is no token") as caught:
        read_token_file(path)
    assert caught.value.where == str(path)
    assert "s3cr3t" not in str(caught.value)


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    with pytest.raises(AuthError, match="No such file or directory"):
        read_token_file(tmp_path / "none")
    with pytest.raises(AuthError, match="Is a directory"):
        read_token_file(tmp_path)


def test_a_token_given_as_text_is_checked_alike():
    assert check_token("abc", "settings") == "abc"
    with pytest.raises(AuthError, match="settings: this is no token"):
        check_token("a b", "settings")
