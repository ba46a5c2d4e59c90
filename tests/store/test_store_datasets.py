"""Dataset versions: immutable, verified, and turned into what upstream's workers read."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sedna.common.errors import (
    ConflictError,
    DataError,
    IntegrityError,
    NotFoundError,
    SpecError,
    StoreUnavailableError,
)
from sedna.common.types import Annotation, Box, JobKey, Picked, sample_id
from sedna.labels.txt import parse_line
from sedna.store import FolderStore, ObjectStore
from sedna.store.datasets import (
    DatasetEntry,
    DatasetPart,
    DatasetRef,
    materialise,
    materialise_unlabelled,
    read_dataset,
    write_dataset,
)
from sedna.store.layout import sample_key
from sedna.store.node_cache import NodeCache

JOB = JobKey(namespace="default", name="pcb")
CLASSES = ("open", "short")
BOX = Box(x1=1, y1=2, x2=30, y2=4, label=1)


def _entry(data: bytes, part: str = "train", annotation: Annotation | None = None, **fields: object) -> DatasetEntry:
    values = {"picked": Picked.HARD, "new": True, "round": 1, "extension": "jpg", **fields}
    if annotation is None:
        annotation = Annotation(boxes=(BOX,))
    return DatasetEntry.model_validate({"sample_id": sample_id(data), "part": part, "annotation": annotation, **values})


def _upload(store: ObjectStore, *contents: bytes) -> None:
    for data in contents:
        store.put(sample_key(JOB, sample_id(data), "jpg"), data)


ENTRIES = [
    _entry(b"one"),
    _entry(b"two", "eval", Annotation(), new=False, round=None),
    _entry(b"three", "holdout", Annotation(label=1), picked=Picked.AUDIT),
    _entry(b"four", "train", new=False),
]


def test_what_is_written_is_read(store: ObjectStore) -> None:
    ref = write_dataset(store, JOB, 1, None, ENTRIES, class_names=CLASSES)
    assert ref.key == "default/pcb/datasets/1/manifest.jsonl"
    assert ref.sha256 == hashlib.sha256(store.get(ref.key)).hexdigest()
    assert ref.counts.model_dump() == {
        "train": 2, "eval": 1, "holdout": 1, "new_train": 1, "new_eval": 0, "new_holdout": 1,
    }  # fmt: skip
    read = read_dataset(store, DatasetRef.model_validate_json(ref.model_dump_json()))
    assert read.entries == tuple(sorted(ENTRIES, key=lambda entry: entry.sample_id))
    assert (read.header.job, read.header.version, read.header.parent) == (JOB, 1, None)
    assert (read.header.class_names, read.header.counts) == (CLASSES, ref.counts)


def test_a_manifest_is_a_line_a_sample(store: ObjectStore) -> None:
    ref = write_dataset(store, JOB, 1, None, ENTRIES)
    lines = store.get(ref.key).splitlines()
    assert len(lines) == 5
    assert lines[0].startswith(b'{"kind":"sedna.dataset","format":1,')


@given(st.permutations(ENTRIES))
def test_the_order_of_entries_does_not_matter(entries: list[DatasetEntry]) -> None:
    store = _MemoryStore()
    first = write_dataset(store, JOB, 1, None, ENTRIES)
    assert write_dataset(store, JOB, 1, None, iter(entries)) == first


def test_other_content_under_the_same_version_is_a_conflict(store: ObjectStore) -> None:
    ref = write_dataset(store, JOB, 2, 1, ENTRIES)
    assert write_dataset(store, JOB, 2, 1, ENTRIES) == ref
    for entries, parent in ((ENTRIES[:-1], 1), (ENTRIES, None)):
        with pytest.raises(ConflictError, match="version 2 exists with other content"):
            write_dataset(store, JOB, 2, parent, entries)
    assert read_dataset(store, ref).entries == tuple(sorted(ENTRIES, key=lambda entry: entry.sample_id))


def test_an_empty_dataset_is_a_dataset(store: ObjectStore) -> None:
    assert read_dataset(store, write_dataset(store, JOB, 1, None, [])).entries == ()


def test_nonsense_is_refused_before_it_is_stored(store: ObjectStore) -> None:
    with pytest.raises(DataError, match="listed twice"):
        write_dataset(store, JOB, 1, None, [*ENTRIES, _entry(b"one", "eval")])
    with pytest.raises(DataError, match=r"has label 1 \(there are 1 classes"):
        write_dataset(store, JOB, 1, None, ENTRIES, class_names=["only"])
    with pytest.raises(DataError, match="a parent comes before"):
        write_dataset(store, JOB, 1, 1, ENTRIES)
    assert list(store.list()) == []


def test_a_changed_manifest_is_not_believed(store: ObjectStore) -> None:
    ref = write_dataset(store, JOB, 1, None, ENTRIES)
    data = bytearray(store.get(ref.key))
    data[len(data) // 2] ^= 1
    store.put(ref.key, bytes(data))
    with pytest.raises(IntegrityError, match=r"datasets/1/manifest\.jsonl: the manifest has sha256"):
        read_dataset(store, ref)
    store.delete(ref.key)
    with pytest.raises(NotFoundError):
        read_dataset(store, ref)


@pytest.mark.parametrize("data", [b"", b"{}\n", b'{"kind":"other"}\n', b"\xff\n"])
def test_a_manifest_of_another_format_is_told(tmp_path: Path, data: bytes) -> None:
    store = FolderStore(tmp_path)
    store.put("k", data)
    counts = write_dataset(store, JOB, 1, None, []).counts
    ref = DatasetRef(job=JOB, version=1, key="k", sha256=hashlib.sha256(data).hexdigest(), counts=counts)
    with pytest.raises(DataError, match="k: line 1: not understood"):
        read_dataset(store, ref)


def test_the_index_is_what_upstream_reads(store: ObjectStore, tmp_path: Path) -> None:
    _upload(store, b"one", b"two", b"three", b"four")
    index, folder = tmp_path / "deep" / "train.txt", tmp_path / "pictures"
    assert materialise(store, JOB, ENTRIES, NodeCache(tmp_path / "cache"), folder, index) == 4
    lines = index.read_text().splitlines()
    paths = [Path(line.split()[0]) for line in lines]
    assert [line.split()[1:] for line in lines] == [["1,2,30,4,1"], [], ["1"], ["1,2,30,4,1"]]
    assert [path.read_bytes() for path in paths] == [b"one", b"two", b"three", b"four"]
    assert [path.stem for path in paths] == [entry.sample_id for entry in ENTRIES]
    assert all(path.is_absolute() and path.parent == folder for path in paths)


def test_parts_are_chosen(store: ObjectStore, tmp_path: Path) -> None:
    _upload(store, b"one", b"two", b"three", b"four")
    index = tmp_path / "test.txt"
    wanted = (DatasetPart.EVAL, DatasetPart.HOLDOUT)
    assert (
        materialise(store, JOB, ENTRIES, NodeCache(tmp_path / "cache"), tmp_path / "pictures", index, parts=wanted) == 2
    )
    assert [parse_line(line, "").label for line in index.read_text().splitlines()] == [None, 1]
    assert not (tmp_path / "pictures" / f"{sample_id(b'one')}.jpg").exists(), "what is not wanted is not fetched"
    assert materialise(store, JOB, [], NodeCache(tmp_path / "cache"), tmp_path / "pictures", index) == 0
    assert index.read_bytes() == b""


def test_unlabelled_samples_are_listed_by_path(store: ObjectStore, tmp_path: Path) -> None:
    _upload(store, b"one", b"two")
    samples = [(sample_id(b"two"), "jpg"), (sample_id(b"one"), "jpg")]
    assert (
        materialise_unlabelled(
            store, JOB, samples, NodeCache(tmp_path / "cache"), tmp_path / "pictures", tmp_path / "index"
        )
        == 2
    )
    assert [Path(line).read_bytes() for line in (tmp_path / "index").read_text().splitlines()] == [b"two", b"one"]


def test_the_cache_is_used_and_damage_is_fetched_again(tmp_path: Path) -> None:
    store = _CountingStore(tmp_path / "store")
    _upload(store, b"one")
    cache, key, target = NodeCache(tmp_path / "cache"), sample_key(JOB, sample_id(b"one"), "jpg"), tmp_path / "one.jpg"
    cache.place(store, key, sample_id(b"one"), target)
    cache.place(store, key, sample_id(b"one"), target)
    assert store.opened == 1
    for damage in (b"onf", b"", b"one and more"):
        target.write_bytes(damage)  # in place: the cache has the same file
        cache.place(store, key, sample_id(b"one"), target)
        assert target.read_bytes() == b"one"
    assert store.opened == 4


def test_what_the_store_damaged_is_never_cached_or_listed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    _upload(store, b"one", b"two", b"three", b"four")
    store.put(sample_key(JOB, sample_id(b"three"), "jpg"), b"damaged")
    index = tmp_path / "index"
    index.write_text("of the round before\n")
    with pytest.raises(IntegrityError, match=f"samples/{sample_id(b'three')}.jpg"):
        materialise(store, JOB, ENTRIES, NodeCache(tmp_path / "cache"), tmp_path / "pictures", index)
    assert index.read_text() == "of the round before\n"
    assert not list((tmp_path / "cache").glob(f"*/*{sample_id(b'three')}*"))


def test_a_missing_sample_is_named(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(NotFoundError, match="default/pcb/samples/"):
        materialise(store, JOB, ENTRIES, NodeCache(tmp_path / "cache"), tmp_path / "pictures", tmp_path / "index")
    assert not (tmp_path / "index").exists()


def test_a_store_that_goes_away_is_told_and_the_next_try_goes_on(tmp_path: Path) -> None:
    store = _CountingStore(tmp_path / "store")
    contents = [f"sample {number}".encode() for number in range(40)]
    _upload(store, *contents)
    store.fail_after = 20
    entries = [_entry(data) for data in contents]
    with pytest.raises(StoreUnavailableError):
        materialise(store, JOB, entries, NodeCache(tmp_path / "cache"), tmp_path / "pictures", tmp_path / "index")
    store.fail_after = None
    before = len(list((tmp_path / "cache").glob("??/*")))
    store.opened = 0
    assert (
        materialise(store, JOB, entries, NodeCache(tmp_path / "cache"), tmp_path / "pictures", tmp_path / "index") == 40
    )
    assert store.opened == 40 - before


def test_white_space_in_the_cache_path_is_refused(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(SpecError, match="with space"):
        materialise(store, JOB, [], NodeCache(tmp_path / "cache"), tmp_path / "with space", tmp_path / "index")


def test_a_large_dataset_round_trips(tmp_path: Path) -> None:
    store, draw = FolderStore(tmp_path), random.Random(0)
    entries = [_entry(draw.randbytes(8), draw.choice(["train", "eval", "holdout"])) for _ in range(3000)]
    read = read_dataset(store, write_dataset(store, JOB, 1, None, entries))
    assert {entry.sample_id: entry for entry in read.entries} == {entry.sample_id: entry for entry in entries}


class _CountingStore(FolderStore):
    """A folder that counts reads, and stops answering after some."""

    opened = 0
    fail_after: int | None = None

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        self.opened += 1
        if self.fail_after is not None and self.opened > self.fail_after:
            raise StoreUnavailableError("gone")
        with super().open(key) as stream:
            yield stream


class _MemoryStore(FolderStore):
    """Enough of a store for one manifest; no disk, for the property test."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def put_if_absent(self, key: str, data: object) -> bool:
        assert isinstance(data, bytes)
        return self.objects.setdefault(key, data) is data

    def get(self, key: str) -> bytes:
        return self.objects[key]
