"""The commands, on the folder of a service."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from fixtures_gm import KEY, World, png, record_of
from globalmanager.cli.app import app
from globalmanager.ingest.intake import store_sample
from sedna.store import FolderStore

pytestmark = pytest.mark.sqlite


@pytest.fixture
def data(tmp_path, monkeypatch):
    """The folder of a service that has one job and four samples."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEDNA_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "data"
    folder.mkdir()
    world = World(folder)
    world.apply()
    world.samples(4)
    world.close()
    (folder / "gm.db").rename(folder / "sedna.db")
    return folder


def run(*arguments, code=0):
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_repair_says_what_it_would_do_does_it_and_then_finds_nothing(data):
    image = png(500)
    store_sample(FolderStore(data / "store"), record_of(image), image)
    said = run("repair", "--data", data, "--dry-run")
    assert "sample that the database lacks" in said
    assert "1 differences would be put right, 0 stay" in said
    assert "1 differences put right, 0 stay" in run("repair", "--data", data)
    assert run("repair", "--data", data) == (
        "1 jobs, 5 samples in the database, 5 in the store: 0 differences put right, 0 stay\n"
    )


def test_what_stays_is_exit_code_1_and_json_for_programs(data):
    image = png(501)
    store = FolderStore(data / "store")
    key = f"{KEY}/samples/{record_of(image).sample_id}.png"
    store.put(key, image)
    found = json.loads(run("repair", "--data", data, "-o", "json", code=1))
    [finding] = found["findings"]
    assert (finding["kind"], finding["done"]) == ("sample in the store that cannot be taken", False)
    assert store.get(key) == image


def test_a_folder_without_a_database_stays_without_one(tmp_path):
    assert "there is no database" in run("repair", "--data", tmp_path / "none", code=4)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", [("repair",), ("up", "--port", "0")])
def test_a_damaged_database_is_named(data, command):
    (data / "sedna.db").write_bytes(b"garbage " * 1000)
    said = run(*command, "--data", data, code=3)
    assert f"{data / 'sedna.db'}: the database is damaged" in said
    assert "sedna restore BACKUP" in said


def test_backup_and_restore_say_what_they_did(data, tmp_path):
    said = run("backup", tmp_path / "b.tar", "--data", data)
    assert said.startswith(f"{tmp_path / 'b.tar'}: database, settings, 8 objects, ")
    assert "8 objects, 0 were there" in run("restore", tmp_path / "b.tar", "--data", tmp_path / "copy")
    assert "has this backup already" in run("restore", tmp_path / "b.tar", "--data", tmp_path / "copy")
    assert "there is a database" in run("restore", tmp_path / "b.tar", "--data", data, code=2)
    assert "0 objects, 8 were there" in run("restore", tmp_path / "b.tar", "--data", data, "--replace")
    assert "the store is not in it" in run("backup", tmp_path / "c.tar", "--data", data, "--no-objects")
