"""What the address of a Dataset stands for."""

import pytest

from fixtures_labels import lay_out
from globalmanager.ingest import label_source
from globalmanager.ingest.label_source import LabelSource
from globalmanager.ingest.sources import StoreFolder
from sedna.common.errors import NotFoundError, SpecError, TooLargeError
from sedna.common.label_format import LabelFormat
from sedna.store import FolderStore

YOLO = {
    "images/train/a.jpg": b"",
    "labels/train/a.txt": b"",
    "labels/val/b.txt": b"",
    "data.yaml": b"names: [a]\ntrain: images/train\n",
    "train.txt": b"images/train/a.jpg\n",
}
VOC = {"JPEGImages/a.jpg": b"", "Annotations/s/a.xml": b""}


@pytest.mark.parametrize(
    ("label_format", "files", "url", "start"),
    [
        (LabelFormat.YOLO, YOLO, "", ""),
        (LabelFormat.YOLO, YOLO, "labels", "labels"),
        (LabelFormat.YOLO, YOLO, "labels/train/", "labels/train"),
        (LabelFormat.YOLO, YOLO, "images/train", "images/train"),
        (LabelFormat.YOLO, YOLO, "labels/train/a.txt", "labels/train/a.txt"),
        (LabelFormat.YOLO, YOLO, "data.yaml", "data.yaml"),
        (LabelFormat.YOLO, YOLO, "train.txt", "train.txt"),
        (LabelFormat.VOC, VOC, "", ""),
        (LabelFormat.VOC, VOC, "Annotations", "Annotations"),
        (LabelFormat.VOC, VOC, "Annotations/s", "Annotations/s"),
        (LabelFormat.VOC, VOC, "Annotations/s/a.xml", "Annotations/s/a.xml"),
    ],
)
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_pictures_are_looked_for_in_the_folder_that_holds_them_and_the_labels(
    tmp_path, label_format, files, url, start, scheme
):
    root = lay_out(tmp_path / "my boards", files)
    base = root.as_uri() if scheme else str(root)
    source = LabelSource(f"{base}/{url}", label_format, "here", None)
    assert (source.folder.url, source.start) == (root.as_uri(), start)
    found, _ = source.look()
    assert list(found.names()) == sorted(files)
    assert found.at("labels/x.txt") == str(root / "labels/x.txt")
    source.close()


def test_a_folder_that_is_only_called_labels_holds_its_pictures_itself(tmp_path):
    root = lay_out(tmp_path / "labels" / "boards", {"a.jpg": b"", "a.txt": b""})
    for url in (root, root / "a.txt"):
        assert LabelSource(str(url), LabelFormat.YOLO, "here", None).folder.url == root.as_uri()


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        ("/no/such/folder", NotFoundError, "/no/such/folder: there is no such file or folder"),
        ("relative", SpecError, "here: 'relative' is relative"),
        ("/boards.zip", SpecError, "here: '/boards.zip' is an archive.*sample import"),
    ],
)
def test_an_address_that_leads_nowhere_says_so(url, error, words):
    with pytest.raises(error, match=words):
        LabelSource(url, LabelFormat.YOLO, "here", None)


def test_a_change_of_any_file_is_seen_and_unchanged_files_are_read_once(tmp_path):
    root = lay_out(tmp_path, YOLO)
    source = LabelSource(str(root), LabelFormat.YOLO, "here", None)
    files, first = source.look()
    assert source.look()[1] == first
    assert files.read("labels/train/a.txt", 9) == b""
    lay_out(root, {"labels/train/a.txt": b"0 1 1 1"})
    assert files.read("labels/train/a.txt", 9) == b"", "one reading sees one state"
    files, second = source.look()
    assert files.read("labels/train/a.txt", 9) == b"0 1 1 1"
    (root / "images/train/a.jpg").unlink()
    assert len({first, second, source.look()[1]}) == 3


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """Addresses s3://bucket/... lead into a folder."""
    opened = []

    def open_store(url, s3=None):
        opened.append(url)
        return FolderStore(tmp_path / "bucket" / url.removeprefix("s3://bucket").strip("/"))

    monkeypatch.setattr("globalmanager.ingest.sources.open_store", open_store)
    for name, data in YOLO.items():
        FolderStore(tmp_path / "bucket").put(f"set/{name}", data)
    return opened


@pytest.mark.parametrize(
    ("url", "start"),
    [
        ("set", ""),
        ("set/labels/train", "labels/train"),
        ("set/images/train/", "images/train"),
        ("set/data.yaml", "data.yaml"),
    ],
)
def test_a_store_is_read_like_a_folder(bucket, url, start):
    source = LabelSource(f"s3://bucket/{url}", LabelFormat.YOLO, "here", None)
    assert source.start == start
    files, mark = source.look()
    assert list(files.names()) == sorted(YOLO)
    assert files.read("train.txt", 99) == YOLO["train.txt"]
    assert source.look()[1] == mark
    assert bucket[-1] == "s3://bucket/set"


def test_a_listing_is_bounded_and_leaves_hidden_files_out(tmp_path, monkeypatch):
    store = FolderStore(tmp_path)
    for name in ("a.txt", ".hidden/b.txt", "c/._d.txt"):
        store.put(name, b"")
    folder = StoreFolder(store)
    assert [name for name, _ in folder.list()] == ["a.txt"]
    assert (folder.kind("c"), folder.kind("a.txt"), folder.kind("z")) == ("folder", "file", None)
    monkeypatch.setattr("globalmanager.ingest.sources.MAX_FILES", 1)
    with pytest.raises(TooLargeError, match="too many files"):
        list(folder.list())


def test_the_cache_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(label_source, "_CACHED_BYTES", 3)
    source = LabelSource(str(lay_out(tmp_path, {"a.txt": b"12", "b.txt": b"34"})), LabelFormat.YOLO, "here", None)
    files, _ = source.look()
    assert [files.read(name, 9) for name in ("a.txt", "b.txt")] == [b"12", b"34"]
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).unlink()
    assert files.read("a.txt", 9) == b"12"
    with pytest.raises(NotFoundError):
        files.read("b.txt", 9)
