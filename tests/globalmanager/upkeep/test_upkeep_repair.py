"""A database that has lost what its store still has, and the other way round."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from sqlalchemy import delete, select, update

from fixtures_gm import BOX, KEY, png, record_of
from globalmanager.db import Database, purge, samples
from globalmanager.db.tables import DatasetVersion, Job, Label, Sample
from globalmanager.ingest import accept_sample
from globalmanager.ingest.intake import store_sample
from globalmanager.ingest.removal import exclude_sample
from globalmanager.labelling import label_sample
from globalmanager.upkeep import repair as module
from globalmanager.upkeep.findings import Kind
from globalmanager.upkeep.repair import repair
from sedna.common.errors import SpecError
from sedna.common.types import sample_id
from sedna.store.layout import dataset_manifest_key, model_manifest_key, sample_key, sample_record_key


@pytest.fixture
def board(world):
    world.apply()
    world.ids = world.samples(4)
    return world


def run(world, *, dry_run=False, verify=False):
    return repair(world.db, world.store, world.clock, dry_run=dry_run, verify=verify)


def finish_a_round(world):
    world.samples(4)
    world.until(lambda job: bool(job.state.history))


def found(report):
    return sorted((finding.kind, finding.what, finding.done) for finding in report.findings)


def rows(world):
    with world.db.read() as session:
        return {row.record.sample_id: row for row in samples.list_page(session, world.job().id, limit=1000).items}


def forget(world, names):
    """What a damaged log of the database does: the newest commits are gone, samples and labels alike."""
    with world.db.write() as session:
        lost = select(Sample.id).where(Sample.sample_id.in_(names))
        counted = list(session.scalars(select(Sample).where(Sample.sample_id.in_(names))))
        job = session.get_one(Job, world.job().id)
        job.samples -= len(counted)
        for row in counted:
            if row.labelled_at is not None:
                name = f"{row.part}_total"
                setattr(job, name, getattr(job, name) - 1)
        session.execute(delete(Label).where(Label.sample_pk.in_(lost)))
        session.execute(delete(Sample).where(Sample.sample_id.in_(names)))


def test_where_nothing_is_wrong_nothing_is_found_or_done(board):
    finish_a_round(board)
    before = board.events()
    report = run(board)
    assert (report.findings, report.samples, report.pictures, report.jobs) == ((), 8, 8, 1)
    assert board.events() == before


def test_lost_samples_are_taken_back_and_a_second_run_changes_nothing(board):
    lost = board.ids[:2]
    records = {name: rows(board)[name].record for name in lost}
    forget(board, lost)
    assert found(run(board, dry_run=True)) == sorted((Kind.LOST_SAMPLE, name, True) for name in lost)
    assert set(rows(board)) == set(board.ids[2:]), "a dry run changes nothing"
    assert found(run(board)) == sorted((Kind.LOST_SAMPLE, name, True) for name in lost)
    after = rows(board)
    assert {name: after[name].record for name in lost} == records
    assert [after[name].label for name in lost] == [None, None], "no dataset version has seen them"
    assert board.job().totals.samples == 4
    assert len(board.events("SampleTakenBack")) == 2
    before = board.events()
    assert run(board).findings == ()
    assert board.events() == before


def test_part_and_label_come_back_from_the_newest_dataset_version(board):
    held = board.sample(label=None)
    with board.db.write() as session:
        samples.hold_out(session, board.job().id, held)
    label_sample(board.db, KEY, held, BOX, "ann", board.clock.now())
    finish_a_round(board)
    before, totals = rows(board), board.job().totals
    names = list(before)
    assert {before[name].part for name in names} == {"train", "eval", "holdout"}
    forget(board, names)
    assert board.job().totals.samples == 0
    report = run(board)
    assert {finding.message.rpartition(" ")[2] for finding in report.findings} == {"train", "eval", "holdout"}
    after = rows(board)
    for name in names:
        assert (after[name].part, after[name].label.annotation) == (before[name].part, BOX)
        assert after[name].label.author == "sedna repair"
    assert board.job().totals == totals
    assert run(board).findings == ()


def test_what_only_the_store_has_and_cannot_be_taken_is_said(board):
    alone, damaged, other = png(901), png(902), png(903)
    board.store.put(sample_key(KEY, sample_id(alone), "png"), alone)
    record = record_of(damaged)
    store_sample(board.store, record, damaged)
    board.store.put(sample_key(KEY, record.sample_id, "png"), b"x" * len(damaged))
    board.store.put(sample_record_key(KEY, sample_id(other)), b'{"sample_id": 1}')
    report = run(board)
    said = {finding.what: finding.message for finding in report.findings}
    assert {finding.kind for finding in report.findings} == {Kind.UNREADABLE_SAMPLE}
    assert said[sample_id(alone)] == "there is a picture and no record; upload it again"
    assert "its picture in the store is damaged: it has sha256" in said[record.sample_id]
    assert "its record is damaged" in said[sample_id(other)]
    assert report.open == 3
    assert set(rows(board)) == set(board.ids)
    assert board.store.get(sample_key(KEY, sample_id(alone), "png")) == alone, "nothing is deleted"


def test_what_only_the_database_has_is_said_and_becomes_a_problem_of_the_sample(board):
    gone, short, wrong, bare = board.ids
    board.store.delete(sample_key(KEY, gone, "png"))
    board.store.put(sample_key(KEY, short, "png"), b"short")
    image = board.store.get(sample_key(KEY, wrong, "png"))
    board.store.put(sample_key(KEY, wrong, "png"), bytes(len(image)))
    record = board.store.get(sample_record_key(KEY, bare))
    board.store.delete(sample_record_key(KEY, bare))
    wanted = sorted([(Kind.MISSING_PICTURE, gone, False), (Kind.DAMAGED_PICTURE, short, False)])
    assert found(run(board, dry_run=True)) == sorted([*wanted, (Kind.LOST_RECORD, bare, True)])
    assert board.store.stat(sample_record_key(KEY, bare)) is None
    run(board)
    assert json.loads(board.store.get(sample_record_key(KEY, bare))) == json.loads(record)
    assert {name for name, row in rows(board).items() if row.problem} == {gone, short}
    # A picture of the right size is read when that is asked for.
    assert found(run(board, verify=True)) == sorted([*wanted, (Kind.DAMAGED_PICTURE, wrong, False)])
    assert rows(board)[wrong].problem is not None


def test_a_deleted_sample_is_not_taken_back_and_what_is_left_of_it_is_said(board):
    name = board.ids[0]
    image = board.store.get(sample_key(KEY, name, "png"))
    exclude_sample(board.db, board.store, KEY, name, reason="a thumb", author="ann", now=board.clock.now(), delete=True)
    assert run(board).findings == ()
    board.store.put(sample_key(KEY, name, "png"), image)
    assert found(run(board)) == [(Kind.LEFT_OVER, name, False)]
    assert board.store.get(sample_key(KEY, name, "png")) == image


def test_versions_of_one_side_are_said_and_their_numbers_not_given_out_again(board):
    finish_a_round(board)
    manifest = board.store.get(dataset_manifest_key(KEY, 1))
    with board.db.write() as session:  # as before the round
        session.execute(delete(DatasetVersion))
        session.execute(update(Job).values(next_dataset=1))
    assert found(run(board)) == sorted(
        [(Kind.NUMBERS, str(KEY), True), (Kind.LOST_DATASET, "dataset version 1", False)]
    )
    with board.db.read() as session:
        assert session.get_one(Job, board.job().id).next_dataset == 2
    assert found(run(board)) == [(Kind.LOST_DATASET, "dataset version 1", False)]
    assert board.store.get(dataset_manifest_key(KEY, 1)) == manifest
    [file, *_] = list(board.store.list("default/boards/models/2/files/"))
    board.store.delete(file.key)
    board.store.delete(model_manifest_key(KEY, 1))
    kinds = [(finding.kind, finding.what) for finding in run(board).findings]
    assert kinds[1:] == [(Kind.MISSING_MODEL, "model 1"), (Kind.MISSING_MODEL, "model 2")]


def test_rounds_of_the_store_are_not_begun_again(board):
    board.store.put("default/boards/rounds/7/train-1/order.json", b"{}")
    assert found(run(board)) == [(Kind.NUMBERS, str(KEY), True)]
    assert board.job().state.next_round == 8
    assert run(board).findings == ()
    finish_a_round(board)
    assert board.job().state.history[-1].id == 8


def test_a_job_that_the_database_lacks_is_named_and_comes_back_with_its_description(world):
    world.apply()
    image = png(1)
    record = record_of(image, job=KEY.model_copy(update={"name": "other"}))
    store_sample(world.store, record, image)
    [finding] = run(world).findings
    assert (finding.kind, finding.job, finding.done) == (Kind.UNKNOWN_JOB, "default/other", False)
    assert "1 samples" in finding.message
    world.apply(key=record.job)
    assert found(run(world)) == [(Kind.LOST_SAMPLE, record.sample_id, True)]
    assert run(world).findings == ()


def test_an_empty_store_is_another_one_or_not_mounted(board):
    for info in list(board.store.list()):
        board.store.delete(info.key)
    with pytest.raises(SpecError, match="no picture at all, the database speaks of 4"):
        run(board)
    assert run(board, dry_run=True).open == 4
    assert all(row.problem is None for row in rows(board).values())


def test_a_job_that_is_being_purged_has_lost_nothing(board):
    forget(board, board.ids[:2])
    board.store.delete(sample_key(KEY, board.ids[3], "png"))
    board.store.delete(sample_record_key(KEY, board.ids[3]))
    with board.db.write() as session:
        purge.mark_purging(session, board.job())
    assert run(board).findings == ()
    assert board.store.stat(sample_record_key(KEY, board.ids[3])) is None
    assert set(rows(board)) == set(board.ids[2:])


KILLED = """
import os, signal, sys
sys.path[:0] = {path!r}
from pathlib import Path
from globalmanager.db import Database
from globalmanager.upkeep import repair as module
from sedna.common.clock import SystemClock
from sedna.store import FolderStore

calls = 0
def take_back(*arguments):
    global calls
    calls += 1
    done = before(*arguments)
    if calls == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return done

before, module.take_back = module.take_back, take_back
module.repair(Database(Path({db!r})), FolderStore(Path({store!r})), SystemClock(), dry_run=False)
"""


@pytest.mark.sqlite
def test_killed_in_between_it_goes_on_where_it_was(board):
    names = [*board.ids, *board.samples(2)]
    forget(board, names)
    path = [entry for entry in sys.path if entry]
    code = KILLED.format(path=path, db=str(board.folder / "gm.db"), store=str(board.folder / "store"))
    killed = subprocess.run([sys.executable, "-c", code], check=False, env=os.environ, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(rows(board)) == 2, "each sample is a transaction of its own"
    run(board)
    assert set(rows(board)) == set(names)
    assert board.job().totals.samples == len(names)
    assert len(board.events("SampleTakenBack")) == len(names)
    assert run(board).findings == ()


def test_a_sample_that_arrives_meanwhile_is_not_taken_back(board, monkeypatch):
    image = png(77)

    def list_store(store):
        accept_sample(board.db, board.store, record_of(image), image, board.clock.now())
        return listed(store)

    listed = module.list_store
    monkeypatch.setattr(module, "list_store", list_store)
    assert run(board).findings == ()
    assert board.events("SampleTakenBack") == []


@pytest.mark.sqlite
def test_samples_of_a_damaged_log_come_back(tmp_path, board):
    """A power cut, or a disk: SQLite ends at the first page of its log that is not right, and says nothing."""
    kept = len(board.ids)
    with contextlib.closing(sqlite3.connect(board.folder / "gm.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    board.samples(17, label=None)
    for name in ("gm.db", "gm.db-wal"):
        shutil.copy(board.folder / name, tmp_path / name)
    log = bytearray((tmp_path / "gm.db-wal").read_bytes())
    log[32 + 24 + 100] ^= 0xFF
    (tmp_path / "gm.db-wal").write_bytes(log)
    db = Database(tmp_path / "gm.db", migrate=False)
    with db.read() as session:
        assert len(samples.list_page(session, board.job().id, limit=1000).items) == kept
    report = repair(db, board.store, board.clock, dry_run=False)
    assert [finding.kind for finding in report.findings] == [Kind.LOST_SAMPLE] * 17
    with db.read() as session:
        assert len(samples.list_page(session, board.job().id, limit=1000).items) == kept + 17
    assert repair(db, board.store, board.clock, dry_run=False).findings == ()
    db.close()
