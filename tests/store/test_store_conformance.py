"""What every object store must do, asked of each of them."""

from __future__ import annotations

import io
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3

from sedna.common.errors import IntegrityError, NotFoundError, SpecError
from sedna.store import FolderStore, ObjectStore, check_key
from sedna.store.download import stream_to_file
from sedna.store.s3 import S3Store

AWKWARD_KEYS = [
    "a/with space.bin",
    "a/plus+and&and=and?and#",
    "a/percent%41%2F.bin",
    "a/ünïcode-☃-日本.jpg",
    "a/quote'\"<>.xml",
    "a/.hidden",
    "a/...",
    f"a/{'n' * 255}",
]


class _Unseekable(io.RawIOBase):
    """A pipe: its length is known when it has ended."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:
        piece, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def test_put_then_get_returns_the_same_bytes(store: ObjectStore) -> None:
    data = bytes(range(256)) * 10
    info = store.put("a/b.bin", data)
    assert (info.key, info.size) == ("a/b.bin", len(data))
    assert store.get("a/b.bin") == data


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"")
    assert store.get("empty") == b""
    assert store.put_if_absent("empty2", b"")
    assert [info.size for info in store.list()] == [0, 0]


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_awkward_keys_round_trip(store: ObjectStore, key: str) -> None:
    store.put(key, key.encode())
    assert store.get(key) == key.encode()
    assert [info.key for info in store.list("a/")] == [key]
    assert not store.put_if_absent(key, b"other")
    store.delete(key)
    assert store.stat(key) is None


def test_put_replaces(store: ObjectStore) -> None:
    store.put("k", b"old and longer")
    store.put("k", b"new")
    assert store.get("k") == b"new"


def test_put_takes_a_path(store: ObjectStore, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"from a file")
    assert store.put("k", file).size == 11
    assert store.put_if_absent("k2", file)
    assert store.get("k") == store.get("k2") == b"from a file"


def test_a_missing_source_file_is_named(store: ObjectStore, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no-such-file"):
        store.put("k", tmp_path / "no-such-file")
    assert store.stat("k") is None


def test_put_takes_a_stream_from_where_it_stands(store: ObjectStore) -> None:
    stream = io.BytesIO(b"0123456789")
    stream.seek(4)
    store.put("k", stream)
    assert store.get("k") == b"456789"
    stream.seek(8)
    assert store.put_if_absent("k2", stream)
    assert store.get("k2") == b"89"


@pytest.mark.parametrize("size", [0, 1000, 17 << 20])
def test_put_takes_a_stream_of_unknown_length(store: ObjectStore, size: int) -> None:
    data = os.urandom(size)
    assert store.put("k", io.BufferedReader(_Unseekable(data))).size == size
    assert store.get("k") == data
    assert store.put_if_absent("k2", io.BufferedReader(_Unseekable(data)))
    assert store.get("k2") == data


def test_a_large_file_goes_in_parts(store: ObjectStore, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 34
    (tmp_path / "large").write_bytes(data)
    store.put("large", tmp_path / "large")
    found = store.stat("large")
    assert found is not None
    assert found.size == len(data)
    store.download("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_put_if_absent_creates_once_and_never_touches(store: ObjectStore) -> None:
    assert store.put_if_absent("k", b"first")
    assert not store.put_if_absent("k", b"second")
    assert store.get("k") == b"first"
    store.delete("k")
    assert store.put_if_absent("k", b"third")


def test_open_streams(store: ObjectStore) -> None:
    store.put("k", b"0123456789")
    with store.open("k") as stream:
        assert stream.read(3) == b"012"
        assert stream.read() == b"3456789"
        assert stream.read() == b""
    with store.open("k") as stream:  # one that is not read to its end does not disturb the next
        assert stream.read(1) == b"0"
    assert store.get("k") == b"0123456789"


def test_a_missing_object_is_not_found(store: ObjectStore, tmp_path: Path) -> None:
    assert store.stat("no/such") is None
    with pytest.raises(NotFoundError, match="no/such"):
        store.get("no/such")
    with pytest.raises(NotFoundError, match="no/such"):
        store.open("no/such")
    with pytest.raises(NotFoundError, match="no/such"):
        store.download("no/such", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_folder_of_keys_is_no_object(store: ObjectStore) -> None:
    store.put("folder/object", b"1")
    assert store.stat("folder") is None
    store.delete("folder")
    assert store.get("folder/object") == b"1"


def test_stat_tells_size_and_time(store: ObjectStore) -> None:
    store.put("k", b"12345")
    found = store.stat("k")
    assert found is not None
    assert (found.key, found.size) == ("k", 5)
    assert abs(datetime.now(UTC) - found.modified) < timedelta(hours=1)


def test_delete_is_idempotent(store: ObjectStore) -> None:
    store.put("a/b/c", b"1")
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.delete("never/there")
    assert list(store.list()) == []


def test_download_makes_folders_and_replaces(store: ObjectStore, tmp_path: Path) -> None:
    store.put("k", b"new")
    target = tmp_path / "x" / "y" / "file"
    store.download("k", target)
    store.put("k", b"newer")
    store.download("k", target)
    assert target.read_bytes() == b"newer"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_wrong_bytes_never_reach_the_target(store: ObjectStore, tmp_path: Path) -> None:
    store.put("k", b"these bytes")
    target = tmp_path / "file"
    target.write_bytes(b"before")
    with pytest.raises(IntegrityError, match="sha256"):
        stream_to_file(store.open("k"), target, sha256="0" * 64)
    assert target.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_list_filters_by_prefix(store: ObjectStore) -> None:
    for key in ("a/1", "a/2", "ab/1", "b"):
        store.put(key, key.encode())
    assert [info.key for info in store.list("a/")] == ["a/1", "a/2"]
    assert {info.key for info in store.list("a")} == {"a/1", "a/2", "ab/1"}
    assert [info.key for info in store.list("a/2")] == ["a/2"]
    assert list(store.list("none")) == []
    assert {info.key: info.size for info in store.list()} == {"a/1": 3, "a/2": 3, "ab/1": 4, "b": 1}


def test_a_folder_is_listed_in_key_order(store: ObjectStore) -> None:
    names = ["a.json", "a.jpg", "B", "b", "10", "9", "ü", "z", "a-b", "_", "a+b"]
    for name in names:
        store.put(f"f/{name}", b"1")
    expected = [f"f/{name}" for name in sorted(names)]
    assert [info.key for info in store.list("f/")] == expected
    for start in (*expected, "f/a", "f/", "f/zzz"):
        assert [info.key for info in store.list("f/", start_after=start)] == [k for k in expected if k > start]


def test_a_listing_can_go_on_from_each_of_its_keys(store: ObjectStore) -> None:
    for key in ("a/b", "a-b/c", "a.b/c", "a/b-c", "a0/x", "z", "a/c/d", "a/c.d"):
        store.put(key, b"1")
    listed = [info.key for info in store.list()]
    assert len(set(listed)) == 8
    for position, key in enumerate(listed):
        assert [info.key for info in store.list(start_after=key)] == listed[position + 1 :]


def test_list_pages_over_a_thousand(store: ObjectStore) -> None:
    expected = [f"p/{number:05}" for number in range(1100)]
    with ThreadPoolExecutor(8) as pool:  # a store serves several threads
        sizes = list(pool.map(lambda key: store.put(key, b"").size, expected))
    assert sizes == [0] * 1100
    assert [info.key for info in store.list("p/")] == expected
    assert [info.key for info in store.list("p/", start_after="p/01050")] == expected[1051:]


def test_list_is_lazy(store: ObjectStore) -> None:
    for number in range(3):
        store.put(f"k{number}", b"1")
    listing = store.list()
    assert next(listing).key == "k0"


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/a",
        "a/",
        "a//b",
        "../a",
        "a/../b",
        "a/./b",
        "..",
        ".",
        "a\\b",
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "k" * 256,
        "p/" * 600 + "k",
        "\ud800",
        ".sedna-tmp/x",
        ".sedna-x",
    ],
)
def test_bad_keys_are_refused_by_every_call(store: ObjectStore, key: str, tmp_path: Path) -> None:
    for call in (
        lambda: check_key(key),
        lambda: store.put(key, b""),
        lambda: store.put_if_absent(key, b""),
        lambda: store.get(key),
        lambda: store.open(key),
        lambda: store.download(key, tmp_path / "x"),
        lambda: store.stat(key),
        lambda: store.delete(key),
        lambda: store.presign_get(key, timedelta(minutes=1)),
        lambda: store.presign_put(key, timedelta(minutes=1)),
    ):
        with pytest.raises(SpecError, match="object key"):
            call()
    assert list(store.list()) == []


def test_a_presigned_url_reads_without_credentials(s3_store: S3Store) -> None:
    s3_store.put("a/with space+.bin", b"for the browser")
    url = s3_store.presign_get("a/with space+.bin", timedelta(minutes=5))
    assert url is not None
    with urllib3.PoolManager() as http:
        assert http.request("GET", url).data == b"for the browser"
        assert http.request("GET", url.replace("Signature=", "Signature=0")).status == 403


@pytest.mark.parametrize("expires", [timedelta(0), timedelta(seconds=-1), timedelta(days=8)])
def test_a_presigned_url_has_a_sane_life(s3_store: S3Store, expires: timedelta) -> None:
    with pytest.raises(SpecError, match="7 days"):
        s3_store.presign_get("k", expires)
    with pytest.raises(SpecError, match="7 days"):
        s3_store.presign_put("k", expires)


def test_a_presigned_address_takes_an_object_without_credentials(s3_store: S3Store) -> None:
    signed = s3_store.presign_put("a/with space+.bin", timedelta(minutes=5))
    assert signed is not None
    assert signed.headers == {}
    assert "Signature" not in repr(signed), "whoever has it may write"
    with urllib3.PoolManager() as http:
        assert http.request("PUT", signed.url, body=b"weights").status == 200
        assert http.request("PUT", signed.url.replace("Signature=", "Signature=0"), body=b"evil").status == 403
    assert s3_store.get("a/with space+.bin") == b"weights"


def test_a_presigned_address_for_what_is_absent_leaves_what_is_there(s3_store: S3Store) -> None:
    signed = s3_store.presign_put("k", timedelta(minutes=5), absent=True)
    assert signed is not None
    with urllib3.PoolManager() as http:
        answers = [http.request("PUT", signed.url, body=b, headers=signed.headers).status for b in (b"one", b"two")]
    assert answers == [200, 412]
    assert s3_store.get("k") == b"one"


def test_a_folder_says_that_it_has_no_urls(tmp_path: Path) -> None:
    assert FolderStore(tmp_path).presign_get("k", timedelta(minutes=5)) is None
    assert FolderStore(tmp_path).presign_put("k", timedelta(minutes=5)) is None


def test_the_url_shows_no_secret(store: ObjectStore) -> None:
    assert store.url.startswith(("file:///", "s3://sedna-test/tests/"))
    assert "@" not in store.url


@pytest.mark.parametrize("key", AWKWARD_KEYS)
def test_a_copy_has_the_bytes_and_outlives_its_source(store: ObjectStore, key: str) -> None:
    store.put("source", b"weights")
    store.copy("source", key)
    store.delete("source")
    assert store.get(key) == b"weights"
    again = key + "2" if len(key) < 200 else "a/other"
    store.copy(key, again)
    store.put(key, b"other")
    assert store.get(again) == b"weights"


def test_a_copy_touches_nothing_that_exists(store: ObjectStore) -> None:
    store.put("source", b"new")
    store.put("target", b"old")
    store.copy("source", "target")
    assert store.get("target") == b"old"


def test_there_is_no_copy_of_nothing(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError):
        store.copy("missing", "target")
    assert store.stat("target") is None
