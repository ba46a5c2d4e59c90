import os
import socket
import threading

import pytest

from sedna.common.errors import AuthError, DataError, NotFoundError, TooLargeError
from sedna.common.regular_files import read_regular, require_kind


@pytest.fixture
def odd(tmp_path):
    """One path of each kind that is no file."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        (tmp_path / "folder").mkdir()
        (tmp_path / "device").symlink_to("/dev/zero")
        (tmp_path / "link-to-pipe").symlink_to("pipe")
        yield tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pipe", "it is a named pipe"),
        ("link-to-pipe", "it is a named pipe"),
        ("device", "it is a device"),
        ("folder", "it is a folder|Is a directory"),
        ("socket", "cannot be read|it is a socket"),
    ],
)
def test_what_is_no_file_is_refused_at_once(odd, name, words):
    """From another thread: a pipe that is opened blocks for ever."""
    told = []

    def read():
        with pytest.raises(DataError, match=words) as error:
            read_regular(odd / name, 100)
        told.append(str(error.value))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(20)
    assert len(told) == 1
    assert name in told[0]


def test_a_file_is_read_as_far_as_it_may_be(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"abc")
    (tmp_path / "link").symlink_to(path)
    assert read_regular(path) == read_regular(path, 3) == read_regular(tmp_path / "link", 3) == b"abc"
    with pytest.raises(TooLargeError, match="at most 2 bytes"):
        read_regular(path, 2)


@pytest.mark.parametrize("name", ["new\0.png", "half\ud800.png"])
def test_a_name_that_no_file_can_have_is_a_fault_of_the_data(tmp_path, name):
    with pytest.raises(DataError, match="no file can have this name"):
        read_regular(tmp_path / name)


def test_what_is_not_there_or_not_ours_says_so(tmp_path, monkeypatch):
    with pytest.raises(NotFoundError, match="there is no such file"):
        read_regular(tmp_path / "a" / "b")
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        read_regular(tmp_path / ("x" * 300))

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # root may read everything
    with pytest.raises(AuthError, match="may not be read"):
        read_regular(tmp_path / "a")


def test_a_path_to_copy_is_a_file_or_a_folder(odd):
    require_kind(odd)
    (odd / "file").touch()
    require_kind(odd / "file")
    with pytest.raises(DataError, match="named pipe"):
        require_kind(odd / "pipe")
