"""What is particular to the folder store: atomicity, durability of names, leftovers, full disks."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sedna.common.errors import (
    AuthError,
    ConflictError,
    SpecError,
    StorageFullError,
    StoreUnavailableError,
)
from sedna.store import FolderStore
from sedna.store.base import is_key
from sedna.store.oserrors import os_errors

_PARTS = st.sampled_from(["a", "b", "a-", "a.b", "a0", "A", "ü", " ", "-"])


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store")


def _staged(store: FolderStore) -> list[str]:
    return [path.name for path in (store.root / ".sedna-tmp").iterdir() if path.name != "lock"]


def _staged_bytes(store: FolderStore) -> int:
    total = 0
    for name in _staged(store):
        with contextlib.suppress(FileNotFoundError):
            total += (store.root / ".sedna-tmp" / name).stat().st_size
    return total


def test_the_root_is_made_and_its_url_opens_it(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "x" / "with space")
    assert store.url == f"file://{tmp_path}/x/with%20space"


@settings(max_examples=60)
@given(data=st.data())
def test_a_listing_is_sorted_over_all_folders_and_resumes_anywhere(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    keys = data.draw(st.sets(st.lists(_PARTS, min_size=1, max_size=3).map("/".join), max_size=12))
    root = tmp_path_factory.mktemp("order")
    store = FolderStore(root)
    stored: list[str] = []
    for key in sorted(keys):
        if not any(other.startswith(f"{key}/") or key.startswith(f"{other}/") for other in stored):
            (root / key).parent.mkdir(parents=True, exist_ok=True)
            (root / key).touch()  # without the store's flushes, which would make the test slow
            stored.append(key)
    expected = sorted(stored, key=str.encode)
    prefix = data.draw(st.sampled_from(["", "a", "a/", "a-", "b/a", "ü/"]))
    start = data.draw(st.one_of(st.just(""), st.sampled_from(["a", "a/", "a-/b", "a/a/a", "b", "z"])))
    wanted = [key for key in expected if key.startswith(prefix) and key > start]
    assert [info.key for info in store.list(prefix, start_after=start)] == wanted
    shutil.rmtree(root)


def test_a_key_below_an_object_is_a_conflict(store: FolderStore) -> None:
    store.put("a", b"1")
    for call in (store.put, store.put_if_absent):
        with pytest.raises(ConflictError, match="folder of another"):
            call("a/b", b"2")
    assert store.stat("a/b") is None
    assert store.get("a") == b"1"
    assert _staged(store) == []


def test_an_object_in_place_of_a_folder_is_a_conflict(store: FolderStore) -> None:
    store.put("a/b", b"1")
    for call in (store.put, store.put_if_absent):
        with pytest.raises(ConflictError, match="folder of another"):
            call("a", b"2")
    assert store.get("a/b") == b"1"
    assert _staged(store) == []


def test_the_name_of_an_emptied_folder_is_free_again(store: FolderStore) -> None:
    store.put("a/b/c", b"1")
    store.delete("a/b/c")
    assert store.put_if_absent("a/b", b"2")
    (store.root / "left" / "by").mkdir(parents=True)  # as after a crash between mkdir and rename
    store.put("left/by", b"3")
    assert [info.key for info in store.list()] == ["a/b", "left/by"]


def test_names_that_are_no_keys_are_not_listed(store: FolderStore) -> None:
    store.put("good", b"1")
    (store.root / "back\\slash").write_bytes(b"")
    (store.root / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"")
    (store.root / "link-out").symlink_to("/etc")
    os.mkfifo(store.root / "pipe")
    assert [info.key for info in store.list()] == ["good"]


def test_leftovers_of_crashed_writers_are_hidden_then_deleted(store: FolderStore, tmp_path: Path) -> None:
    store.put("good", b"1")
    leftover = store.root / ".sedna-tmp" / "crashed"
    leftover.write_bytes(b"half")
    assert [info.key for info in store.list()] == ["good"]
    FolderStore(store.root)
    assert leftover.exists(), "it could belong to a writer at work"
    os.utime(leftover, (0, 0))
    FolderStore(store.root)
    assert not leftover.exists()


def test_a_writer_killed_in_the_middle_leaves_no_object(store: FolderStore) -> None:
    script = (
        "import sys; from sedna.store import FolderStore; from pathlib import Path\n"
        "FolderStore(sys.argv[1]).put('k', Path('/dev/zero'))\n"
    )
    store.put("k", b"before")
    writer = subprocess.Popen([sys.executable, "-c", script, str(store.root)])
    while not _staged_bytes(store):
        assert writer.poll() is None
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    assert store.get("k") == b"before"
    FolderStore(store.root, stale_after=timedelta(0))
    assert _staged(store) == []


def test_a_source_that_fails_leaves_nothing(store: FolderStore) -> None:
    class Failing(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            raise StoreUnavailableError("the other store went away")

    for call in (store.put, store.put_if_absent):
        with pytest.raises(StoreUnavailableError):
            call("k", io.BufferedReader(Failing()))
    assert store.stat("k") is None
    assert _staged(store) == []


def test_writers_deleters_and_listers_do_not_disturb_each_other(store: FolderStore) -> None:
    """They share folders that come and go: each write must succeed, each listing must be whole objects."""

    def work(number: int) -> int:
        created = 0
        for turn in range(30):
            key = f"a/b/{number}/x" if turn % 2 else f"a/{number}"
            created += store.put_if_absent(key, b"1") if turn % 3 else store.put(key, b"1").size
            assert all(info.size == 1 for info in store.list())
            store.delete(key)
        return created

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(work, range(6))) == [30] * 6
    assert list(store.list()) == []
    assert [path.name for path in store.root.iterdir()] == [".sedna-tmp"]


def test_without_hard_links_a_lock_decides(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, hard_links=False)
    assert store.put_if_absent("a/k", b"first")
    assert not store.put_if_absent("a/k", b"second")
    assert store.get("a/k") == b"first"
    store.put("b/c", b"")
    with pytest.raises(ConflictError):
        store.put_if_absent("b", b"x")


@pytest.fixture
def file_size_limit() -> Iterator[None]:
    """The kernel refuses files over 64 KiB, as a full disk or a quota would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("file_size_limit")
def test_a_refused_write_is_storage_full_and_loses_nothing(store: FolderStore, tmp_path: Path) -> None:
    store.put("k", b"before")
    for call in (store.put, store.put_if_absent):
        with pytest.raises(StorageFullError, match="new"):
            call("new", bytes(1 << 20))
    with pytest.raises(StorageFullError):
        store.put("k", bytes(1 << 20))
    assert store.get("k") == b"before"
    assert [info.key for info in store.list()] == ["k"]
    assert _staged(store) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_loses_nothing_and_recovers(small_disk: Path, tmp_path: Path) -> None:
    store = FolderStore(small_disk / "store")
    source = FolderStore(tmp_path / "source")
    source.put("large", bytes(2 << 20))
    store.put("k", bytes(600_000))
    with pytest.raises(StorageFullError, match="free some space"):
        store.put("k2", bytes(600_000))
    with pytest.raises(StorageFullError):
        source.download("large", small_disk / "download")
    assert [path.name for path in small_disk.iterdir()] == ["store"]
    assert store.get("k") == bytes(600_000)
    assert _staged(store) == []
    store.delete("k")
    assert store.put_if_absent("k2", bytes(600_000))


def test_a_root_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConflictError, match="file"):
        FolderStore(tmp_path / "file")


def test_a_root_that_vanished_is_told(store: FolderStore) -> None:
    shutil.rmtree(store.root)
    with pytest.raises(StoreUnavailableError):
        store.put("k", b"1")


@pytest.mark.parametrize(
    ("number", "writing", "kind"),
    [
        ("ENOSPC", True, StorageFullError),
        ("EDQUOT", True, StorageFullError),
        ("EACCES", True, AuthError),
        ("EROFS", True, AuthError),
        ("EACCES", False, AuthError),
        ("ENAMETOOLONG", True, SpecError),
        ("ENOTDIR", True, ConflictError),
        ("EIO", False, StoreUnavailableError),
        ("ESTALE", True, StoreUnavailableError),
        ("EMFILE", False, StoreUnavailableError),
    ],
)
def test_system_errors_map_to_the_tree(number: str, writing: bool, kind: type[Exception]) -> None:
    import errno

    with pytest.raises(kind, match="the-key"), os_errors("the-key", writing=writing):
        raise OSError(getattr(errno, number), "x")


@given(st.text(max_size=40))
def test_a_key_never_leaves_the_root(key: str) -> None:
    if is_key(key):
        root = Path("/root/of/store")
        resolved = Path(os.path.normpath(root / key))
        assert resolved != root
        assert resolved.is_relative_to(root)


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_durable_store_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    store = FolderStore(tmp_path / "store", durable=durable)
    store.put("a/b", b"one")
    assert [store.put_if_absent("a/c", b"two"), store.put_if_absent("a/c", b"three")] == [True, False]
    store.delete("a/b")
    assert [(info.key, store.get(info.key)) for info in store.list()] == [("a/c", b"two")]
    assert bool(flushed) is durable
