"""Samples by what is known of them: every filter finds what a look at each sample would, and what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, text

from fixtures_gm import png, record_of
from globalmanager.db import sample_checks, sample_labels, sample_search, samples
from globalmanager.db.values import SampleFilter
from sedna.common.types import Annotation, Box, Picked, Prediction, Verdict
from sedna.loop.evidence import SampleScore


@pytest.fixture
def job(world):
    world.apply()
    return world.job()


def box(label):
    return Box(x1=1, y1=1, x2=9, y2=9, label=label, score=0.5)


def add(world, job, number, *, miner="IBT", score=0.5, labels=(), prediction=None, picked=Picked.HARD, **changes):
    prediction = prediction or Prediction(boxes=tuple(box(label) for label in labels))
    verdict = Verdict(hard=True, miner=miner, score=score, reason="r")
    update = {"verdict": verdict, "prediction": prediction, "picked": picked, **changes}
    record = record_of(png(number)).model_copy(update=update)
    with world.db.write() as session:
        samples.insert(session, job.id, record, world.clock.now())
    return record.sample_id


def label(world, job, sample, *labels):
    annotation = Annotation(boxes=tuple(box(number).model_copy(update={"score": None}) for number in labels))
    with world.db.write() as session:
        sample_labels.add_label(session, job.id, sample, annotation, "ann", world.clock.now())


def found(world, job, limit=100, **wanted):
    """The samples of all pages, the oldest first; with the number that a count gives."""
    with world.db.read() as session:
        names, cursor = [], None
        while True:
            page = samples.list_page(
                session, job.id, SampleFilter(**wanted), limit=limit, cursor=cursor, newest_first=False
            )
            names += [row.record.sample_id for row in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert sample_search.count(session, job.id, SampleFilter(**wanted)) == len(names)
    return names


def test_each_filter_finds_its_samples(world, job):
    start = world.clock.now()
    first = add(world, job, 1, miner="IBT", score=0.2, labels=(0,), edge="a")
    world.clock.advance(10)
    second = add(world, job, 2, miner="CrossEntropy", score=0.6, labels=(0, 1), edge="b")
    world.clock.advance(10)
    third = add(world, job, 3, miner="IBT", score=None, prediction=Prediction(probabilities=(0.1, 0.2, 0.7)), edge="a")
    assert found(world, job) == [first, second, third]
    assert found(world, job, miner="IBT") == [first, third]
    assert found(world, job, edge="b") == [second]
    assert found(world, job, min_score=0.3) == [second]
    assert found(world, job, max_score=0.6) == [first, second]
    assert found(world, job, min_score=0.2, max_score=0.2) == [first]
    assert found(world, job, class_number=0) == [first, second]
    assert found(world, job, class_number=2) == [third]
    assert found(world, job, since=start + timedelta(seconds=10)) == [second, third]
    assert found(world, job, until=start + timedelta(seconds=10)) == [first]
    assert found(world, job, class_number=0, miner="IBT", edge="a", max_score=0.5) == [first]
    label(world, job, second, 1)
    assert found(world, job, label_state="settled") == [second]
    assert found(world, job, label_state="waiting") == [first, third]
    with world.db.write() as session:
        samples.take_new(session, job.id, 7)
    assert found(world, job, round=7) == [second]
    assert found(world, job, round=8) == []


def test_pages_go_on_where_they_ended_whatever_is_filtered(world, job):
    made = [add(world, job, number, labels=(number % 2,), model_version=3) for number in range(7)]
    for sample in made:
        label(world, job, sample, 5)
    assert found(world, job, limit=2, class_number=1) == made[1::2]
    assert found(world, job, limit=1, wrong_version=3) == made
    assert found(world, job, limit=2, wrong_version=3, class_number=0) == made[0::2]
    with world.db.read() as session:
        page = samples.list_page(session, job.id, SampleFilter(class_number=1), limit=2)
    assert [row.record.sample_id for row in page.items] == [made[5], made[3]], "the newest first, as ever"


def test_a_class_is_in_a_sample_by_prediction_or_current_label(world, job):
    sample = add(world, job, 1, labels=(0,))
    label(world, job, sample, 1)
    assert [found(world, job, class_number=number) for number in (0, 1, 2)] == [[sample], [sample], []]
    label(world, job, sample, 2)
    assert [found(world, job, class_number=number) for number in (0, 1, 2)] == [[sample], [], [sample]]


def test_what_no_class_can_be_is_left_out(world, job):
    odd = add(world, job, 1, prediction=Prediction(label=-1))
    huge = add(world, job, 2, prediction=Prediction(label=2**40))
    many = add(world, job, 3, labels=range(500), miner="m" * 5000)
    assert found(world, job) == [odd, huge, many]
    assert found(world, job, class_number=99) == [many]
    assert found(world, job, miner="m" * 253) == [many]


def test_a_model_is_wrong_where_its_answer_at_the_edge_is_not_the_label(world, job):
    right = add(world, job, 1, labels=(0,), model_version=3)
    wrong = add(world, job, 2, labels=(0,), model_version=3)
    imported = add(world, job, 3, labels=(0,), model_version=3, picked=Picked.IMPORT)
    label(world, job, right, 0)
    label(world, job, wrong, 1)
    label(world, job, imported, 1)
    assert found(world, job, wrong_version=3) == [wrong]
    label(world, job, wrong, 0)
    label(world, job, right, 1)
    assert found(world, job, wrong_version=3) == [right]


def evaluate(world, job, round_id, version, rows):
    scores = [SampleScore(sample=name, tp=(1,), fp=(0,), fn=(0 if good else 1,)) for name, good in rows.items()]
    with world.db.write() as session:
        sample_checks.evaluated(session, job.id, round_id, version, scores)


def checked(world, job, sample):
    with world.db.read() as session:
        return [(row.version, row.round, row.right) for row in samples.story(session, job.id, sample).checked]


def test_evaluations_say_which_model_is_right_and_a_newer_one_says_it_again(world, job):
    one, two = (add(world, job, number, labels=(0,), model_version=3) for number in (1, 2))
    label(world, job, one, 0)
    label(world, job, two, 1)
    evaluate(world, job, 5, 4, {one: False, two: True, "f" * 64: True})
    assert checked(world, job, one) == [(3, None, True), (4, 5, False)]
    assert checked(world, job, two) == [(3, None, False), (4, 5, True)]
    evaluate(world, job, 6, 4, {one: True, two: True})
    evaluate(world, job, 6, 4, {one: True, two: True})
    assert checked(world, job, one) == [(3, None, True), (4, 6, True)]
    assert found(world, job, wrong_version=4) == []
    label(world, job, one, 7)
    assert checked(world, job, one) == [(3, None, False)], "what was found is about another label"


def test_checks_of_old_models_go(world, job):
    sample = add(world, job, 1)
    label(world, job, sample, 0)
    for version in range(1, sample_checks.KEPT_VERSIONS + 4):
        evaluate(world, job, version, version, {sample: True})
    with world.db.write() as session:
        sample_checks.forget_old(session, job.id, {1})
    versions = [version for version, _, _ in checked(world, job, sample)]
    assert versions == [1, *range(4, sample_checks.KEPT_VERSIONS + 4)]


@pytest.mark.parametrize(
    ("score", "right"),
    [
        (SampleScore(sample="a", tp=(2, 1), fp=(0, 0), fn=(0, 0)), True),
        (SampleScore(sample="a", tp=(2, 0), fp=(0, 0), fn=(0, 1)), False),
        (SampleScore(sample="a", tp=(2, 0), fp=(0, 1), fn=(0, 0)), False),
        (SampleScore(sample="a", tp=(0,), fp=(0,), fn=(0,)), True),
        (SampleScore(sample="a", value=1.0), True),
        (SampleScore(sample="a", value=0.99), False),
    ],
)
def test_right_is_nothing_missed_and_nothing_wrongly_found(score, right):
    assert sample_checks.is_right(score) is right


FILTERS = {
    "miner": {"miner": "m1"},
    "a rare miner": {"miner": "none"},
    "edge": {"edge": "none"},
    "score": {"min_score": 2.0},
    "class": {"class_number": 1},
    "round": {"round": 3},
    "settled": {"label_state": "settled"},
    "wrong": {"wrong_version": 1},
    "wrong and class": {"wrong_version": 1, "class_number": 1},
}


@pytest.mark.sqlite
@pytest.mark.parametrize("wanted", FILTERS.values(), ids=FILTERS.keys())
def test_sqlite_finds_a_page_in_an_index_and_sorts_nothing(world, job, wanted):
    first = add(world, job, 1)
    with world.db.write() as session:
        session.execute(text(MANY), {"first": first})
        sent = []
        event.listen(session.connection(), "before_cursor_execute", lambda *args: sent.append(args[2:4]))
        samples.list_page(session, job.id, SampleFilter(**wanted))
        statement, parameters = sent[0]
        rows = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    plan = [str(row[3]) for row in rows]
    assert all("SEARCH" in line for line in plan), plan
    assert not any("TEMP B-TREE" in line for line in plan), plan
    if "label_state" in wanted:
        assert "ix_samples_labelled" in plan[0], "they may be few among many"
    if "min_score" in wanted:
        assert "COVERING INDEX ix_samples_page" in plan[0], "what is wide must not be read for what does not fit"


MANY = """
WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)
INSERT INTO samples (job_id, sample_id, record, extension, picked, edge, model_version, received_at, miner, score)
SELECT job_id, printf('%064d', i), record, 'png', 'hard', 'e', 1, received_at, 'm' || (i % 3), i / 5000.0
FROM n, samples WHERE sample_id = :first
"""
