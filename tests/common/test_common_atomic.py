import hashlib
import os
import resource
import signal
import subprocess
import sys

import pytest

from sedna.common.atomic import (
    append_line,
    free_bytes,
    fsync_dir,
    full_disk_as_error,
    is_temporary,
    require_free_bytes,
    sha256_file,
    temporary_beside,
    write_atomic,
)
from sedna.common.errors import StorageFullError


@pytest.fixture
def small_files():
    """No file may grow over 4096 bytes: a full disk without a disk of its own."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, old)
    signal.signal(signal.SIGXFSZ, handler)


def test_write_and_replace(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"one")
    write_atomic(str(path), b"two", mode=0o600)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_full_disk_keeps_the_old_content_and_leaves_nothing(tmp_path, small_files):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with pytest.raises(StorageFullError) as caught:
        write_atomic(path, b"x" * 5000)
    assert caught.value.where == str(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_other_errors_pass_through(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "no-folder" / "file", b"x")
    with pytest.raises(PermissionError), full_disk_as_error(tmp_path):
        raise PermissionError(13, "no")


REWRITE = """
import sys
from sedna.common.atomic import write_atomic
for _ in range(60):
    write_atomic(sys.argv[1], sys.argv[2].encode() * 2000)
"""


def test_a_reader_never_sees_a_mixture(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"a" * 2000)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    writers = [subprocess.Popen([sys.executable, "-c", REWRITE, path, byte], env=environment) for byte in "ab"]
    while any(writer.poll() is None for writer in writers):
        content = path.read_bytes()
        assert len(content) == 2000
        assert len(set(content)) == 1
    assert [writer.returncode for writer in writers] == [0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_append_line(tmp_path, small_files):
    path = tmp_path / "log"
    append_line(path, "one")
    append_line(path, "zwei äöü")
    assert path.read_text(encoding="utf-8") == "one\nzwei äöü\n"
    with pytest.raises(ValueError, match="one line"):
        append_line(path, "a\nb")
    append_line(path, "x" * 4000)
    before = path.read_bytes()
    with pytest.raises(StorageFullError):
        append_line(path, "y" * 4000)
    assert path.read_bytes() == before


def test_temporary_names(tmp_path):
    one, two = temporary_beside(tmp_path / "file"), temporary_beside(tmp_path / "file")
    assert one != two
    assert one.parent == tmp_path
    assert is_temporary(one)
    assert not is_temporary(tmp_path / "file")
    assert len(temporary_beside(tmp_path / ("x" * 255)).name) <= 255


def test_sha256_and_folders(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert sha256_file(path) == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    fsync_dir(tmp_path)


def test_free_space(tmp_path):
    assert free_bytes(tmp_path / "not" / "yet" / "there") > 0
    require_free_bytes(tmp_path, 1)
    with pytest.raises(StorageFullError, match="bytes are needed"):
        require_free_bytes(tmp_path, 1 << 62)
