"""Model versions: content first, manifest last; fetched whole and verified, or not at all."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import threading
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from pydantic import ValidationError

from sedna.common.errors import (
    ConflictError,
    DataError,
    IntegrityError,
    NotFoundError,
    StorageFullError,
    StoreUnavailableError,
)
from sedna.common.types import JobKey
from sedna.store import FolderStore, ObjectStore, Source
from sedna.store.file_sets import FileEntry, list_files, upload
from sedna.store.layout import model_file_key, model_manifest_key
from sedna.store.models import (
    ModelInput,
    ModelManifest,
    describe_model,
    fetch_model,
    fetch_model_over,
    load_manifest,
    publish_model,
    publish_stored,
    verify_model,
)

JOB = JobKey(namespace="default", name="pcb")
NOW = datetime(2026, 11, 22, 1, 2, 3, 456789, tzinfo=UTC)
FILES = {"model.onnx": b"graph" * 1000, "nested/deep/weights.bin": bytes(range(256)) * 100, "selftest.json": b"{}"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "trained"
    for name, data in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def _publish(store: ObjectStore, source: Path, version: int = 2, **changes: Any) -> ModelManifest:
    fields: dict[str, Any] = {
        "algorithm": "FPN",
        "runtime": "onnx",
        "format": "onnx",
        "created_at": NOW,
        "parent": 1,
        "round": 1,
        "dataset_version": 3,
        "class_names": ["open", "short"],
        "input": ModelInput(width=640, height=640),
        "metrics": {"map": 0.5, "ap": [0.25, 0.75]},
        "note": "first",
    }
    return publish_model(store, source, describe_model(JOB, version, **{**fields, **changes}))


def _content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _neighbours(dest: Path) -> list[str]:
    return sorted(path.name for path in dest.parent.iterdir() if path != dest)


def test_a_published_model_is_fetched(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    manifest = _publish(store, folder)
    assert load_manifest(store, JOB, 2) == manifest
    assert [file.name for file in manifest.files] == sorted(FILES)
    assert manifest.size == sum(map(len, FILES.values()))
    assert manifest.metrics == {"map": 0.5, "ap": (0.25, 0.75)}
    dest = tmp_path / "edge" / "models" / "2"
    assert fetch_model(store, manifest, dest) == dest
    assert _content(dest) == FILES
    assert _neighbours(dest) == []
    verify_model(dest, manifest)


def test_a_single_file_is_a_model(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    manifest = _publish(store, folder / "model.onnx")
    assert [file.name for file in manifest.files] == ["model.onnx"]
    assert _content(fetch_model(store, manifest, tmp_path / "x")) == {"model.onnx": FILES["model.onnx"]}


def test_publishing_again_changes_nothing(store: ObjectStore, folder: Path) -> None:
    first = _publish(store, folder)
    before = [(info.key, info.size) for info in store.list()]
    assert _publish(store, folder, created_at=NOW + timedelta(hours=1)) == first
    assert [(info.key, info.size) for info in store.list()] == before


def test_other_content_under_the_same_version_is_a_conflict(store: ObjectStore, folder: Path, tmp_path: Path) -> None:
    first = _publish(store, folder)
    with pytest.raises(ConflictError, match="version exists with other content"):
        _publish(store, folder, note="another")
    (folder / "model.onnx").write_bytes(b"another graph")
    with pytest.raises(ConflictError):
        _publish(store, folder)
    assert load_manifest(store, JOB, 2) == first
    assert _content(fetch_model(store, first, tmp_path / "x")) == FILES


class _DyingStore(FolderStore):
    """A folder on a machine that goes down after some writes."""

    writes_left = 0

    def put_if_absent(self, key: str, data: Source) -> bool:
        if self.writes_left == 0:
            raise StoreUnavailableError("down")
        self.writes_left -= 1
        return super().put_if_absent(key, data)


@pytest.mark.parametrize("writes", range(4))
def test_a_crash_while_publishing_leaves_no_version(folder: Path, tmp_path: Path, writes: int) -> None:
    store = _DyingStore(tmp_path / "store")
    store.writes_left = writes
    with pytest.raises(StoreUnavailableError):
        _publish(store, folder)
    with pytest.raises(NotFoundError):
        load_manifest(store, JOB, 2)
    (folder / "model.onnx").write_bytes(b"the retrained model differs")
    store.writes_left = 100
    manifest = _publish(store, folder)
    assert _content(fetch_model(store, manifest, tmp_path / "x"))["model.onnx"] == b"the retrained model differs"


def test_damaged_leftovers_of_a_crash_are_repaired(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    file = _publish(store, folder).files[0]
    store.delete(model_manifest_key(JOB, 2))
    store.put(model_file_key(JOB, 2, file.sha256, file.name), b"damaged")
    assert _content(fetch_model(store, _publish(store, folder), tmp_path / "x")) == FILES


def test_a_file_that_changes_while_it_is_published_is_refused(folder: Path, tmp_path: Path) -> None:
    class Meddler(FolderStore):
        def put_if_absent(self, key: str, data: Source) -> bool:
            if isinstance(data, Path) and data.name == "model.onnx":
                data.write_bytes(b"still being written")
                os.utime(data, ns=(0, 0))
            return super().put_if_absent(key, data)

    store = Meddler(tmp_path / "store")
    with pytest.raises(ConflictError, match=r"model\.onnx: the file changed"):
        _publish(store, folder)
    assert list(store.list()) == []


def test_sources_that_are_no_model_are_refused(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(NotFoundError, match="none"):
        _publish(store, tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        _publish(store, tmp_path / "empty")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(DataError, match="plain files"):
        _publish(store, folder)
    (folder / "link").unlink()
    (folder / "back\\slash").touch()
    with pytest.raises(DataError, match="no name for a file"):
        _publish(store, folder)
    assert list(store.list()) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metrics": {"map": float("nan")}}, r"metrics\.map.*finite"),
        ({"metrics": {"ap": [0.1, float("inf")]}}, r"metrics\.ap"),
        ({"metrics": {"map": "high"}}, r"metrics\.map"),
        ({"runtime": "tensorrt"}, "runtime"),
        ({"created_at": datetime(2026, 1, 1)}, "created_at"),  # noqa: DTZ001
        ({"algorithm": ""}, "algorithm"),
        ({"parent": 2}, "a parent comes before"),
        ({"parent": 0}, "a parent comes before"),
    ],
)
def test_wrong_descriptions_are_refused(folder: Path, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(DataError, match=said):
        _publish(store, folder, **changes)
    assert list(store.list()) == []


def test_the_manifest_survives_its_journey(folder: Path, tmp_path: Path) -> None:
    manifest = _publish(FolderStore(tmp_path / "store"), folder)
    for text in (manifest.model_dump_json(), manifest.to_bytes(), json.dumps(json.loads(manifest.model_dump_json()))):
        again = ModelManifest.model_validate_json(text)
        assert again == manifest
        assert again.sha256 == manifest.sha256
    assert manifest.model_copy(update={"note": "x"}).sha256 != manifest.sha256


def test_a_damaged_or_swapped_manifest_is_refused(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    _publish(store, folder)
    store.put(model_manifest_key(JOB, 3), store.get(model_manifest_key(JOB, 2)))
    with pytest.raises(IntegrityError, match="is of version 2"):
        load_manifest(store, JOB, 3)
    store.put(model_manifest_key(JOB, 2), b"{")
    with pytest.raises(IntegrityError, match="no model manifest"):
        load_manifest(store, JOB, 2)


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a\\b", "", ".", "a/../b", "x\n"])
def test_a_manifest_cannot_lead_out_of_the_folder(name: str) -> None:
    with pytest.raises(ValidationError, match="no name for a file"):
        FileEntry(name=name, sha256="0" * 64, size=0)


@pytest.mark.parametrize(("names", "said"), [(("a", "a"), "twice"), (("a", "a/b"), "both a file and a folder")])
def test_a_manifest_has_one_file_a_name(names: tuple[str, ...], said: str) -> None:
    files = tuple(FileEntry(name=name, sha256="0" * 64, size=0) for name in names)
    with pytest.raises(ValidationError, match=said):
        ModelManifest(job=JOB, version=1, algorithm="x", runtime="onnx", format="onnx", files=files, created_at=NOW)


class _Source:
    """Where an edge gets files from: counts, and breaks as told."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = dict(content)
        self.opened: list[str] = []
        self.break_at: str | None = None

    def __call__(self, name: str) -> AbstractContextManager[BinaryIO]:
        self.opened.append(name)
        if name == self.break_at:
            raise StoreUnavailableError("connection lost")
        return closing(io.BytesIO(self.content[name]))


@pytest.fixture
def manifest(folder: Path, tmp_path: Path) -> ModelManifest:
    return _publish(FolderStore(tmp_path / "store"), folder)


def test_a_broken_fetch_goes_on_where_it_was(manifest: ModelManifest, tmp_path: Path) -> None:
    source, dest = _Source(FILES), tmp_path / "edge" / "m"
    source.break_at = "nested/deep/weights.bin"
    with pytest.raises(StoreUnavailableError):
        fetch_model_over(source, manifest, dest)
    assert not dest.exists()
    source.break_at, source.opened = None, []
    fetch_model_over(source, manifest, dest)
    assert source.opened == ["nested/deep/weights.bin", "selftest.json"]
    assert _content(dest) == FILES


@pytest.mark.parametrize("damage", [b"wrong", b"graph" * 999, b"graph" * 1001, b"", b"grapH" * 1000])
def test_wrong_bytes_leave_nothing_in_place(manifest: ModelManifest, tmp_path: Path, damage: bytes) -> None:
    source, dest = _Source({**FILES, "model.onnx": damage}), tmp_path / "edge" / "m"
    with pytest.raises(IntegrityError, match=r"model\.onnx"):
        fetch_model_over(source, manifest, dest)
    assert not dest.exists()
    assert _neighbours(dest) == [".m.partial"]
    assert _content(dest.with_name(".m.partial")) == {}
    fetch_model_over(_Source(FILES), manifest, dest)
    assert _content(dest) == FILES
    assert _neighbours(dest) == []


def test_an_endless_answer_is_cut_off(manifest: ModelManifest, tmp_path: Path) -> None:
    def endless(name: str) -> AbstractContextManager[BinaryIO]:
        return Path("/dev/zero").open("rb")

    with pytest.raises(IntegrityError, match="more bytes"):
        fetch_model_over(endless, manifest, tmp_path / "m")


def test_a_right_folder_is_left_alone_and_a_damaged_one_replaced(manifest: ModelManifest, tmp_path: Path) -> None:
    source, dest = _Source(FILES), tmp_path / "m"
    fetch_model_over(source, manifest, dest)
    source.opened.clear()
    fetch_model_over(source, manifest, dest)
    assert source.opened == []
    (dest / "model.onnx").write_bytes(b"bit rot")
    (dest / "stranger").touch()
    with pytest.raises(IntegrityError, match=r"m/model\.onnx"):
        verify_model(dest, manifest)
    fetch_model_over(source, manifest, dest)
    assert _content(dest) == FILES
    (dest / "selftest.json").unlink()
    with pytest.raises(IntegrityError, match="missing"):
        verify_model(dest, manifest)


def test_leftovers_of_another_model_do_not_get_in(manifest: ModelManifest, tmp_path: Path) -> None:
    beside = tmp_path / ".m.partial"
    (beside / "model.onnx").mkdir(parents=True)
    (beside / "model.onnx" / "x").touch()
    (beside / "other").mkdir()
    (beside / "nested").touch()
    (beside / "selftest.json").symlink_to("/etc/passwd")
    (tmp_path / ".m.0123.old").mkdir()
    fetch_model_over(_Source(FILES), manifest, tmp_path / "m")
    assert _content(tmp_path / "m") == FILES
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == ["model.onnx", "nested", "selftest.json"]
    assert [name for name in _neighbours(tmp_path / "m") if name.startswith(".m")] == []


def test_a_full_disk_is_found_before_the_download(manifest: ModelManifest, tmp_path: Path) -> None:
    huge = manifest.files[0].model_copy(update={"size": 1 << 60})
    source = _Source(FILES)
    with pytest.raises(StorageFullError):
        fetch_model_over(source, manifest.model_copy(update={"files": (huge,)}), tmp_path / "m")
    assert source.opened == []


def test_threads_that_want_the_same_model_fetch_it_once(manifest: ModelManifest, tmp_path: Path) -> None:
    source, errors = _Source(FILES), list[BaseException]()

    def fetch() -> None:
        try:
            verify_model(fetch_model_over(source, manifest, tmp_path / "m"), manifest)
        except BaseException as error:  # noqa: BLE001  told to the main thread
            errors.append(error)

    threads = [threading.Thread(target=fetch) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(source.opened) == sorted(FILES)
    assert [name for name in _neighbours(tmp_path / "m") if name.startswith(".")] == []


_FETCHER = """
import sys
from pathlib import Path
from sedna.common.types import JobKey
from sedna.store import FolderStore
from sedna.store.models import fetch_model, load_manifest
store = FolderStore(sys.argv[1])
manifest = load_manifest(store, JobKey(name="pcb"), 2)
print("ready", flush=True)
sys.stdin.readline()
fetch_model(store, manifest, Path(sys.argv[2]))
"""


def test_a_fetch_killed_at_any_time_leaves_whole_models_only(folder: Path, tmp_path: Path) -> None:
    (folder / "large.bin").write_bytes(os.urandom(8 << 20))
    manifest = _publish(FolderStore(tmp_path / "store"), folder)
    dest = tmp_path / "edge" / "m"
    command = [sys.executable, "-c", _FETCHER, str(tmp_path / "store"), str(dest)]
    environment = {**os.environ, "PYTHONPATH": ":".join(sys.path)}
    for wait_for in (".m.partial", ".m.partial/large.bin", ".m.partial/nested", "m"):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("go\n")
        process.stdin.flush()
        while not (dest.parent / wait_for).exists() and process.poll() is None:
            pass
        process.kill()
        process.communicate()
        if dest.exists():
            verify_model(dest, manifest)
            shutil.rmtree(dest)
    fetch_model(FolderStore(tmp_path / "store"), manifest, dest)
    verify_model(dest, manifest)
    assert _neighbours(dest) == []


def test_the_bytes_of_a_manifest_are_those_of_the_first_version_of_this_program() -> None:
    """Edges and databases hold their sha256: the order of the keys and the spelling of numbers must not change."""
    manifest = ModelManifest(
        job=JobKey(name="pcb"), version=3, parent=2, round=2, dataset_version=2, algorithm="FPN",
        parameters={"seed": 1, "rate": 1e-05}, runtime="onnx", format="onnx", entries={"onnx": "model.onnx"},
        class_names=("open",), input=ModelInput(width=4), metrics={"map": 0.5, "ap": (0.25, 1e20)},
        files=(FileEntry(name="model.onnx", sha256="0" * 64, size=7),), created_at=datetime(2026, 1, 2, tzinfo=UTC),
        note="n\u00fc",
    )  # fmt: skip
    assert manifest.to_bytes().decode() == (
        '{"job":{"name":"pcb"},"version":3,"parent":2,"round":2,"dataset_version":2,"algorithm":"FPN",'
        '"parameters":{"seed":1,"rate":0.00001},"runtime":"onnx","format":"onnx","entries":{"onnx":"model.onnx"},'
        '"class_names":["open"],"input":{"width":4},"metrics":{"map":0.5,"ap":[0.25,1e+20]},"files":[{"name":'
        f'"model.onnx","sha256":"{"0" * 64}","size":7}}],"created_at":"2026-01-02T00:00:00Z","note":"n\u00fc"}}'
    )


def test_stored_files_become_a_model_without_being_sent_again(store: ObjectStore, folder: Path) -> None:
    files = upload(store, list_files(folder), lambda file: f"out/{file.sha256}/{file.name}")
    described = describe_model(JOB, 2, algorithm="FPN", runtime="onnx", format="onnx", created_at=NOW)
    manifest = publish_stored(store, files, described)
    for file in files:
        store.delete(file.key)
    assert manifest == load_manifest(store, JOB, 2)
    verify_model(fetch_model(store, manifest, folder.parent / "fetched"), manifest)


def test_a_stored_file_that_is_gone_makes_no_model(store: ObjectStore, folder: Path) -> None:
    files = upload(store, list_files(folder), lambda file: f"out/{file.sha256}/{file.name}")
    store.delete(files[0].key)
    described = describe_model(JOB, 2, algorithm="FPN", runtime="onnx", format="onnx", created_at=NOW)
    with pytest.raises(NotFoundError):
        publish_stored(store, files, described)
    with pytest.raises(NotFoundError):
        load_manifest(store, JOB, 2)
