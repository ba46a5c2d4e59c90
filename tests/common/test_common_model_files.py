import gc
import tempfile
from pathlib import Path

import pytest

from sedna.common import transfer
from sedna.common.errors import IntegrityError, ModelError, NotFoundError, SpecError, StoreUnavailableError
from sedna.common.file_ops import FileOps
from sedna.common.model_files import LocalModel, copy_model, fetch_model, require_writable, store_model

MODEL = {"m.bin": "weights", "m.onnx": "twin", "labels.json": "[]", "shards/1": "one"}


@pytest.fixture
def bucket(s3_server, monkeypatch, request):
    monkeypatch.setenv("S3_ENDPOINT_URL", s3_server.endpoint)
    monkeypatch.setenv("ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("SECRET_ACCESS_KEY", s3_server.secret_key)
    return f"s3://{s3_server.bucket}/model-files/{request.node.name.partition('[')[0]}"


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder of all temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def content(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def fetched(address, folder):
    folder.mkdir()
    path = fetch_model(address, folder)
    return path.relative_to(folder).as_posix(), content(folder)


def put(tmp_path, address, text):
    (tmp_path / "one").write_text(text)
    FileOps.upload(str(tmp_path / "one"), address)


@pytest.mark.s3
def test_a_file_comes_with_all_that_was_stored_with_it(bucket, tmp_path, scratch):
    folder = write(tmp_path / "saved", MODEL)
    assert store_model(folder / "m.bin", folder, bucket) == f"{bucket}/m.bin"
    write(tmp_path / "other", {"n.bin": "another model"})
    store_model(tmp_path / "other" / "n.bin", tmp_path / "other", bucket)
    assert fetched(f"{bucket}/m.bin", tmp_path / "back") == ("m.bin", MODEL)
    assert fetched(f"{bucket}/n.bin", tmp_path / "back2") == ("n.bin", {"n.bin": "another model"})
    # The folder of both brings both, and no list of ours.
    name, files = fetched(f"{bucket}/", tmp_path / "back3")
    assert files == {f"{name}/{file}": text for file, text in {**MODEL, "n.bin": "another model"}.items()}
    assert list(scratch.iterdir()) == []


@pytest.mark.s3
def test_a_folder_comes_whole(bucket, tmp_path):
    folder = write(tmp_path / "saved", {"m/variables/1": "a", "m/graph": "b", "labels.json": "[]"})
    assert store_model(folder / "m", folder, bucket) == f"{bucket}/m"
    write(tmp_path / "other", {"graph": "of another model"})
    store_model(tmp_path / "other", tmp_path / "other", f"{bucket}/m2")
    files = {"m/variables/1": "a", "m/graph": "b", "labels.json": "[]"}
    assert fetched(f"{bucket}/m", tmp_path / "back") == ("m", files)
    assert fetched(f"{bucket}/m2", tmp_path / "back2") == ("m2", {"m2/graph": "of another model"})


@pytest.mark.s3
def test_a_model_that_another_tool_put_there_comes_with_the_files_of_its_name(bucket, tmp_path):
    for name in ("m.bin", "m.onnx", "m2.bin", "m/inside", "notes"):
        put(tmp_path, f"{bucket}/{name}", name)
    assert fetched(f"{bucket}/m.bin", tmp_path / "back") == ("m.bin", {"m.bin": "m.bin", "m.onnx": "m.onnx"})
    assert fetched(f"{bucket}/notes", tmp_path / "back2") == ("notes", {"notes": "notes"})
    assert fetched(f"{bucket}/m", tmp_path / "back3") == ("m", {"m/inside": "m/inside"})
    with pytest.raises(NotFoundError, match=r"model-files/.*/none"):
        fetch_model(f"{bucket}/none", tmp_path)


@pytest.mark.s3
@pytest.mark.parametrize("changed", ["m.bin", "m.onnx", "shards/1"])
def test_a_save_that_broke_off_over_an_earlier_model_is_not_taken(bucket, tmp_path, changed, scratch):
    folder = write(tmp_path / "saved", MODEL)
    store_model(folder / "m.bin", folder, bucket)
    put(tmp_path, f"{bucket}/{changed}", "newer")
    for number, address in enumerate((f"{bucket}/m.bin", bucket)):
        (tmp_path / str(number)).mkdir()
        with pytest.raises(IntegrityError, match=f"{changed} has 5 bytes.*save it again"):
            fetch_model(address, tmp_path / str(number))
    with pytest.raises(IntegrityError):
        LocalModel(f"{bucket}/m.bin")
    assert list(scratch.iterdir()) == []


@pytest.mark.s3
@pytest.mark.parametrize("name", ["../x", "/x", ""])
def test_a_hostile_list_leads_nowhere(bucket, tmp_path, name):
    put(tmp_path, f"{bucket}/m.bin", "weights")
    entry = f'{{"name": "{name}", "size": 1, "sha256": "{"0" * 64}"}}'
    put(tmp_path, f"{bucket}/m.bin.sedna.json", f'{{"files": [{entry}]}}')
    (tmp_path / "back").mkdir()
    with pytest.raises(IntegrityError, match="is no list of files"):
        fetch_model(f"{bucket}/m.bin", tmp_path / "back")


def test_names_that_lead_outside_write_nothing(tmp_path):
    for name in ("../x", "/x", "a/../../x"):
        with pytest.raises(SpecError, match="leads outside the folder"):
            transfer.s3_fetch({"s3://bucket/a": tmp_path / "a", "s3://bucket/x": tmp_path / name}, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.s3
def test_a_store_that_refuses_is_an_error(bucket, tmp_path, monkeypatch):
    folder = write(tmp_path / "saved", MODEL)
    with pytest.raises(NotFoundError, match="NoSuchBucket"):
        store_model(folder / "m.bin", folder, "s3://no-such-bucket/x")
    monkeypatch.setenv("S3_ENDPOINT_URL", "http://127.0.0.1:1")  # nothing listens there
    with pytest.raises(StoreUnavailableError):
        store_model(folder / "m.bin", folder, bucket)


@pytest.mark.s3
def test_the_named_file_is_the_last_but_for_the_list(bucket, tmp_path, monkeypatch):
    sent = []
    upload = transfer.s3_upload
    monkeypatch.setattr(transfer, "s3_upload", lambda source, dst: (sent.append(dst), upload(source, dst)))
    folder = write(tmp_path / "saved", MODEL)
    store_model(folder / "m.bin", folder, bucket)
    assert sent[-2:] == [f"{bucket}/m.bin", f"{bucket}/m.bin.sedna.json"]
    assert len(sent) == len(MODEL) + 1


@pytest.mark.s3
def test_a_copy_goes_with_its_owner(bucket, tmp_path, scratch):
    folder = write(tmp_path / "saved", MODEL)
    model = LocalModel(store_model(folder / "m.bin", folder, bucket))
    assert content(model.path.parent) == MODEL
    model.close()
    model.close()
    assert list(scratch.iterdir()) == []
    model = LocalModel(f"{bucket}/m.bin")
    assert len(list(scratch.iterdir())) == 1
    del model
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_what_is_no_model_is_not_stored(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="wrote no file"):
        store_model(tmp_path / "empty", tmp_path / "empty", "s3://b/m")
    folder = write(tmp_path / "saved", MODEL)
    (folder / "linked").symlink_to(tmp_path / "empty")
    with pytest.raises(ModelError, match="linked"):
        store_model(folder / "m.bin", folder, "s3://b/m")


def test_copies_of_local_models(tmp_path):
    folder = write(tmp_path / "models", {**MODEL, "m/x": "in a folder", "m2.bin": "another"})
    (tmp_path / "file").mkdir()
    assert copy_model(folder / "m.bin", tmp_path / "file") == tmp_path / "file" / "m.bin"
    assert content(tmp_path / "file") == {"m.bin": "weights", "m.onnx": "twin"}
    (tmp_path / "whole").mkdir()
    assert copy_model(folder / "m", tmp_path / "whole") == tmp_path / "whole" / "m"
    assert content(tmp_path / "whole") == {"m/x": "in a folder"}
    with pytest.raises(NotFoundError, match="none"):
        copy_model(folder / "none", tmp_path / "whole")


@pytest.mark.parametrize("address", ["http://h/m", "gs://b/m", "s3://", "s3://b", "s3://b/", "s3:///m"])
def test_places_that_take_no_model(address):
    with pytest.raises(SpecError, match="s3://bucket/folder/model"):
        require_writable(address)
    assert require_writable("s3://b/m") == "s3://b/m"


def test_a_path_in_a_setting_is_no_address():
    assert FileOps.local_path("file:///x/y", "REPORT_PATH") == FileOps.local_path("/x/y", "REPORT_PATH") == Path("/x/y")
    with pytest.raises(SpecError, match=r"REPORT_PATH.*a path on this machine"):
        FileOps.local_path("s3://b/report.json", "REPORT_PATH")
