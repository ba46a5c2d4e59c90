"""Repair and export where the service has PostgreSQL and S3, reached by its settings alone."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner

from fixtures_gm import KEY, START, World
from fixtures_postgres import postgres_server
from fixtures_s3 import s3_server
from globalmanager.cli.app import app
from globalmanager.db import Database
from globalmanager.db.tables import Job, Label, Sample
from sedna.common.clock import SettableClock
from sedna.store import open_store
from sedna.store.layout import sample_key

__all__ = ["postgres_server", "s3_server"]


@pytest.fixture
def world(s3_server, postgres_server, tmp_path, monkeypatch):
    url, place = postgres_server.database(), f"s3://{s3_server.bucket}/{tmp_path.name}"
    keys = {
        "AWS_ENDPOINT_URL": s3_server.endpoint,
        "AWS_ACCESS_KEY_ID": s3_server.access_key,
        "AWS_SECRET_ACCESS_KEY": s3_server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in {**keys, "SEDNA__DB_URL": url, "SEDNA__STORE_URL": place}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    made = World.__new__(World)
    made.folder, made.images, made.clock = tmp_path, 0, SettableClock(START)
    made.db, made.store = Database(url), open_store(place)
    made.apply()
    yield made
    made.db.close()
    made.store.close()


def run(*arguments, code=0):
    result = CliRunner().invoke(app, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_lost_rows_are_taken_back_and_lost_objects_said(world):
    ids = world.samples(4)
    with world.db.write() as session:
        session.execute(delete(Label))
        session.execute(delete(Sample).where(Sample.sample_id.in_(ids[:2])))
        session.execute(update(Sample).values(label_seq=None, labelled_at=None, part=None, ordinal=None))
        session.execute(update(Job).values(samples=2, train_total=0, eval_total=0))
    world.store.delete(sample_key(KEY, ids[3], "png"))
    dry = json.loads(run("repair", "--dry-run", "-o", "json", code=1))
    assert world.job().totals.samples == 2
    done = json.loads(run("repair", "-o", "json", code=1))
    assert {**dry, "dry_run": False} == done
    assert (done["samples"], done["pictures"]) == (2, 3)
    assert {(one["what"], one["done"]) for one in done["findings"]} == {
        (ids[0], True), (ids[1], True), (ids[3], False),
    }  # fmt: skip
    assert world.job().totals.samples == 4
    again = json.loads(run("repair", "-o", "json", code=1))
    assert [one["what"] for one in again["findings"]] == [ids[3]]
    assert "3 samples, 0 labelled" in run("export", "boards", str(world.folder / "out.zip"), code=1)
    assert "pg_dump" in run("backup", str(world.folder / "b.tar"), code=2)
