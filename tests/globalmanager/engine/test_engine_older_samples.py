"""Samples that a program of before has stored, also during a rolling upgrade: the engine fills in what it left out."""

import pytest
from sqlalchemy import event, select, text

from globalmanager.db import older_samples, sample_checks
from globalmanager.db.tables import Sample, SampleClass
from globalmanager.engine import driver
from sedna.common.types import Annotation, Box, Picked, Prediction, Verdict
from sedna.loop.evidence import SampleScore

SEEN = Prediction(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=1, score=0.75),))
RIGHT = Annotation(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=1),))
WRONG = Annotation(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=0),))


@pytest.fixture
def job(world):
    world.apply()
    world.tick(2)
    return world


def as_before(world):
    """Every sample as a program of before would have stored it."""
    with world.db.write() as session:
        session.execute(text("UPDATE samples SET miner = NULL, score = NULL, predicted = NULL, rank_entropy = 1"))
        for table in ("sample_classes", "sample_checks"):
            session.execute(text(f"DELETE FROM {table}"))


def stored(world):
    """What lists find the samples by."""
    with world.db.read() as session:
        rows = session.scalars(select(Sample).order_by(Sample.id)).all()
        return [
            (
                row.miner, row.score, row.predicted, row.rank_entropy,
                session.scalars(select(SampleClass.class_number).where(SampleClass.sample_pk == row.id)).all(),
                sample_checks.of_sample(session, row.id),
            )
            for row in rows
        ]  # fmt: skip


def three(world):
    verdict = Verdict(hard=True, miner="ibt", score=0.25, reason="r")
    world.sample(label=None, prediction=SEEN, verdict=verdict)
    world.sample(label=RIGHT, prediction=SEEN, verdict=verdict, picked=Picked.AUDIT)
    world.sample(label=WRONG, prediction=SEEN, verdict=verdict)


def test_all_that_follows_from_records_and_labels_is_as_if_they_came_today(job):
    three(job)
    wanted = stored(job)
    assert [found[:3] for found in wanted] == [("ibt", 0.25, 1)] * 3
    assert [found[4] for found in wanted] == [[1], [1], [0, 1]]
    as_before(job)
    assert stored(job) != wanted
    job.tick()
    assert stored(job) == wanted


def test_those_that_come_after_all_were_filled_in_are_filled_in_as_well(job):
    """One service was upgraded and has looked; the other one still takes in samples."""
    three(job)
    as_before(job)
    job.tick(3)
    three(job)
    wanted = stored(job)
    as_before(job)
    job.tick()
    assert stored(job) == wanted


def test_many_take_several_transactions(job, monkeypatch):
    monkeypatch.setattr(driver, "_FILLED_AT_ONCE", 2)
    three(job)
    as_before(job)
    left = []
    while not left or left[-1]:
        more = job.engine().tick()
        with job.db.read() as session:
            left.append(len(session.scalars(select(Sample.id).where(Sample.predicted.is_(None))).all()))
        assert more or not left[-1], "it looks again at once, as long as there are any"
    assert left == [1, 0]


def test_what_an_evaluation_has_found_since_stays(job):
    three(job)
    as_before(job)
    with job.db.write() as session:
        row = session.scalars(select(Sample).where(Sample.labelled_at.is_not(None))).first()
        score = SampleScore(sample=row.sample_id, value=0.0)
        sample_checks.evaluated(session, row.job_id, 7, row.model_version, [score])
        key, before = row.id, sample_checks.of_sample(session, row.id)
    job.tick()
    with job.db.read() as session:
        assert not older_samples.are_there(session, job.job().id)
        assert sample_checks.of_sample(session, key) == before
        assert [check.round for check in before] == [7]


def test_a_record_that_cannot_be_read_leaves_the_rest_of_the_job_running(job):
    three(job)
    as_before(job)
    with job.db.write() as session:
        row = session.scalars(select(Sample)).first()
        kept, row.record = row.record, {}
    job.tick()
    assert "older samples" in job.job().degraded
    job.sample(label=None)
    with job.db.write() as session:
        session.get(Sample, 1).record = kept
    job.clock.advance(11)
    job.tick(2)
    assert not job.job().degraded
    assert [found[0] for found in stored(job)] == ["ibt"] * 4


@pytest.mark.sqlite
def test_to_ask_for_them_and_to_find_them_looks_into_an_index(job):
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "FROM samples" in statement:
            asked.append((statement, parameters))

    with job.db.write() as session:
        event.listen(session.get_bind(), "before_cursor_execute", note)
        older_samples.are_there(session, job.job().id)
        older_samples.fill_some(session, job.job().id, 5)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        connection = session.connection()
        told = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values) for query, values in asked]
        plans = ["\n".join(str(row) for row in rows) for rows in told]
    assert len(plans) >= 2
    for plan in plans:
        assert "ix_samples_unfilled" in plan, plan
