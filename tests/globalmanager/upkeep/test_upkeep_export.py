"""What is exported is read back by our own imports, and says the same."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from datetime import UTC, datetime

import pytest
import yaml

from fixtures_gm import BOX, KEY, Trainer, new_world, png, record_of
from globalmanager.db import jobs, samples
from globalmanager.engine.apply import apply_resources
from globalmanager.ingest import ImportWish, accept_sample, import_labels
from globalmanager.ingest.removal import exclude_sample
from globalmanager.labelling import label_sample
from globalmanager.upkeep.export import export_job
from globalmanager.upkeep.export_place import new_place
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.label_format import LabelFormat
from sedna.common.types import Annotation, JobKey
from sedna.common.yaml12 import load_yaml_all
from sedna.loop.spec import Dataset, IncrementalLearningJob, Model
from sedna.store.layout import dataset_manifest_key, sample_key

KINDS = {kind.__name__: kind for kind in (Dataset, Model, IncrementalLearningJob)}


@pytest.fixture
def filled(world):
    """A job after a round, with a hold-out, an unlabelled sample and a deleted one."""
    world.apply()
    world.samples(8)
    held, world.empty = world.sample(label=None), world.sample(label=Annotation())
    with world.db.write() as session:
        samples.hold_out(session, world.job().id, held)
    label_sample(world.db, KEY, held, BOX, "ann", world.clock.now())
    world.held, world.gone = held, world.sample()
    world.until(lambda job: bool(job.state.history))
    world.bare = world.sample(label=None)
    now = world.clock.now()
    exclude_sample(world.db, world.store, KEY, world.gone, reason="no", author="ann", now=now, delete=True)
    return world


def export(world, target):
    with new_place(target) as place:
        return export_job(world.db, world.store, KEY, place)


def lines(path):
    return {json.loads(line)["x"]: json.loads(line)["y"] for line in path.read_text().splitlines()}


def of(world):
    """Sample id, part is hold-out, and label, of everything that is in."""
    with world.db.read() as session:
        page = samples.list_page(session, world.job().id, limit=1000)
    return {row.record.sample_id: (row.part == "holdout", row.label and row.label.annotation) for row in page.items}


def test_everything_is_there_once_and_byte_for_byte(filled, tmp_path):
    report = export(filled, tmp_path / "out")
    assert (report.samples, report.labelled, report.datasets, report.missing) == (11, 10, 1, ())
    names = {path.stem for path in (tmp_path / "out" / "images").iterdir()}
    assert names == of(filled).keys()
    for path in (tmp_path / "out" / "images").iterdir():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    assert filled.gone not in names
    told = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [one["sample"]["record"]["sample_id"] for one in told] == list(reversed(list(of(filled))))
    assert (tmp_path / "out" / "classes.txt").read_text() == "good\nbad\n"
    assert lines(tmp_path / "out" / "labels.jsonl")[f"images/{filled.empty}.png"] == []
    assert list(lines(tmp_path / "out" / "holdout.jsonl")) == [f"images/{filled.held}.png"]
    manifest = (tmp_path / "out" / "datasets" / "1" / "manifest.jsonl").read_bytes()
    assert manifest == filled.store.get(dataset_manifest_key(KEY, 1))
    parts = [lines(tmp_path / "out" / f"dataset-1.{part}.jsonl") for part in ("train", "eval", "holdout")]
    assert sum(map(len, parts)) == 10, "without the one that was deleted since"
    assert report.models == 2
    for version in (1, 2):
        folder = tmp_path / "out" / "models" / str(version)
        listed = {one["name"]: one["sha256"] for one in json.loads((folder / "manifest.json").read_text())["files"]}
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "files").iterdir()}
        assert found == listed


def test_another_service_reads_it_back_as_dataset_with_hold_out_and_model(filled, tmp_path):
    out = tmp_path / "out"
    export(filled, out)
    described = load_yaml_all((out / "job.yaml").read_bytes(), "job.yaml")
    assert [one["kind"] for one in described] == ["Dataset", "Model", "IncrementalLearningJob"]
    described[0]["spec"] |= {"url": str(out / "labels.jsonl"), "format": "jsonl"}
    described[1]["spec"]["url"] = str(out / "models" / "2" / "files" / "skill.json")
    described[0]["spec"]["holdoutUrl"] = str(out / "holdout.jsonl")
    with new_world() as other:
        parsed = [KINDS[one["kind"]].model_validate(one) for one in described]
        apply_resources(other.db, parsed, other.clock.now())
        other.until(lambda job: job.totals.labelled == 10 and job.state.champion is not None)
        wanted = {name: said for name, said in of(filled).items() if name != filled.bare}
        assert of(other) == wanted
        skill = other.store.get(next(i.key for i in other.store.list(f"{KEY}/models/1/files/")))
        assert json.loads(skill)["skill"] == Trainer().gain


def test_an_archive_holds_the_same_as_the_folder(filled, tmp_path):
    export(filled, tmp_path / "out")
    export(filled, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    root = tmp_path / "out"
    assert found == {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert yaml.safe_load_all(found["job.yaml"])


def test_nothing_is_replaced_and_half_an_export_does_not_appear(filled, tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConflictError, match="exists"):
        export(filled, tmp_path / "mine")
    with pytest.raises(NotFoundError, match="no such folder"):
        export(filled, tmp_path / "none" / "out")
    for name in ("out", "out.zip"):
        with pytest.raises(NotFoundError, match="no such job"), new_place(tmp_path / name) as place:
            export_job(filled.db, filled.store, JobKey(name="other"), place)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_deleted_job_is_exported_until_it_is_purged(filled, tmp_path):
    before = export(filled, tmp_path / "before")
    with filled.db.write() as session:
        jobs.mark_deleted(session, jobs.get(session, KEY).id, datetime(2026, 11, 28, tzinfo=UTC))
    assert export(filled, tmp_path / "after") == before
    assert (tmp_path / "after" / "job.yaml").read_bytes() == (tmp_path / "before" / "job.yaml").read_bytes()


def test_what_the_store_lacks_is_named_and_the_rest_is_written(filled, tmp_path):
    key = sample_key(KEY, filled.bare, "png")
    filled.store.delete(key)
    report = export(filled, tmp_path / "out")
    assert (report.missing, report.samples) == ((key,), 10)


@pytest.mark.sqlite
def test_killed_in_between_the_name_stays_free(filled, tmp_path):
    code = f"""
import os, signal, sys
sys.path[:0] = {[entry for entry in sys.path if entry]!r}
from pathlib import Path
from globalmanager.db import Database
from globalmanager.upkeep.export import export_job
from globalmanager.upkeep.export_place import new_place
from sedna.common.types import JobKey
from sedna.store import FolderStore
with new_place(Path({str(tmp_path / "out")!r})) as place:
    export_job(Database(Path({str(filled.folder / "gm.db")!r})), FolderStore(Path({str(filled.folder / "store")!r})),
               JobKey(name="boards"), place)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "out").exists()
    assert export(filled, tmp_path / "out").samples == 11


def test_a_job_that_has_the_samples_imports_the_labels_as_they_were(filled, tmp_path):
    export(filled, tmp_path / "out")
    with new_world() as other:
        other.apply()
        for number in range(1, filled.images + 1):
            image = png(number)
            accept_sample(other.db, other.store, record_of(image), image, other.clock.now())
        for name in ("labels.jsonl", "holdout.jsonl"):
            wish = ImportWish(label_format=LabelFormat.JSONL, mode="strict", author="ann")
            data = (tmp_path / "out" / name).read_bytes()
            report = import_labels(other.db, KEY, data, wish, other.clock.now())
            assert (report.problems, report.unknown) == ((), ())
        labels = {name: label for name, (_, label) in of(other).items() if name != filled.gone}
        assert labels == {name: label for name, (_, label) in of(filled).items()}
