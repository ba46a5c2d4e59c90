import pytest
from pydantic import SecretStr

from globalmanager.engine.work.publishing import runtime_of
from globalmanager.ingest.sources import LocalFolder, StoreFolder, open_source
from sedna.common.errors import DataError, NotFoundError, SpecError, TooLargeError
from sedna.store import FolderStore, S3Settings


def test_local_sources(tmp_path):
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "x.txt").write_bytes(b"hello")
    for url in (f"{tmp_path}/a b/x.txt", f"file://{tmp_path}/a%20b/x.txt", f"file://localhost{tmp_path}/a%20b/x.txt"):
        folder, name = open_source(url, "here")
        assert folder.read(name, 5) == b"hello"
        assert folder.read(str(tmp_path / "a b" / "x.txt"), 5) == b"hello"
        assert folder.fetch(name, tmp_path / "staging") == tmp_path / "a b" / "x.txt"
        with pytest.raises(TooLargeError):
            folder.read(name, 4)
        for ask in (lambda folder=folder: folder.read("no.txt", 9), lambda folder=folder: folder.fetch("no", tmp_path)):
            with pytest.raises(NotFoundError, match=r"no"):
                ask()
    with pytest.raises(DataError, match="directory"):
        LocalFolder(tmp_path).read("a b", 9)


def test_sources_in_a_store(tmp_path):
    store = FolderStore(tmp_path / "store")
    store.put("model/net.bin", b"n")
    store.put("model/more/x", b"x")
    store.put("one.txt", b"1")
    folder = StoreFolder(store)
    assert folder.read("one.txt", 1) == b"1"
    with pytest.raises(TooLargeError):
        folder.read("one.txt", 0)
    found = folder.fetch("model", tmp_path / "staging")
    assert (found / "more" / "x").read_bytes() == b"x"
    assert folder.fetch("one.txt", tmp_path / "staging").read_bytes() == b"1"
    for ask in (lambda: folder.read("none", 1), lambda: folder.fetch("none", tmp_path / "staging")):
        with pytest.raises(NotFoundError):
            ask()


def test_the_services_own_s3_settings_read_datasets_as_well(monkeypatch):
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    settings = S3Settings(endpoint="http://minio.example:9000", access_key="key", secret_key=SecretStr("s"))
    folder, name = open_source("s3://bucket/boards/index.txt", "here", settings)
    assert isinstance(folder, StoreFolder)
    assert (folder._store.url, name) == ("s3://bucket/boards", "index.txt")
    assert folder._store._settings is settings
    folder.close()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data/x.txt", "is relative"),
        ("ftp://host/x", "cannot be read"),
        ("file://host/x", "cannot be read"),
        ("s3://bucket", "names no object"),
        ("s3:///key", "names no object"),
    ],
)
def test_urls_that_lead_nowhere_say_what_would(url, words):
    with pytest.raises(SpecError, match=words) as caught:
        open_source(url, "Model default/x: spec.url")
    assert "Model default/x: spec.url" in str(caught.value)


@pytest.mark.parametrize(
    ("names", "runtime"),
    [
        (["a.safetensors", "a.onnx"], "onnx"),
        (["a.safetensors"], "torch"),
        (["A.PT"], "torch"),
        (["skill.json"], "python"),
    ],
)
def test_what_opens_a_model(names, runtime):
    assert runtime_of(names) == runtime
