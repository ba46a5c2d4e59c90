"""Many people and two services at once, and a queue that is long."""

import threading

import pytest
from sqlalchemy import event, text

from fixtures_gm import KEY, fresh_database
from fixtures_people import RIGHT, People
from globalmanager.db import Database, jobs, label_counts, older_samples, queue
from globalmanager.db.label_values import AnswerKind
from globalmanager.db.queue import Panel, Viewer
from globalmanager.labelling import Order
from globalmanager.labelling.answering import GivenAnswer, answer
from globalmanager.labelling.claiming import ClaimWish, claim
from globalmanager.labelling.queue import labelling_queue, ordered
from sedna.common.errors import ConflictError
from sedna.common.types import Prediction


@pytest.mark.parametrize("annotators", [1, 2])
def test_two_services_give_no_sample_to_more_people_than_wanted(world, annotators):
    people = People(world, annotators=annotators)
    ids = [people.sample() for _ in range(12)]
    other = Database(world.folder / "gm.db")
    given, failures = [], []

    def work(db, person):
        said = GivenAnswer(kind=AnswerKind.BOXES, annotation=RIGHT, base_revision=0)
        try:
            while tasks := claim(db, KEY, person, ClaimWish(limit=2), people.now).tasks:
                for task in tasks:
                    given.append((task.sample_id, person))
                    answer(db, KEY, task.sample_id, person, said, people.now)
        except BaseException as error:
            failures.append(error)
            raise

    names = [f"person-{number}" for number in range(6)]
    threads = [
        threading.Thread(target=work, args=(other if number % 2 else world.db, name))
        for number, name in enumerate(names)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    other.close()
    assert failures == []
    assert sorted(sample for sample, _ in given) == sorted(ids * annotators)
    assert len(set(given)) == len(given)
    with world.db.read() as session:
        assert jobs.get(session, KEY).totals.labelled == 12


def test_of_two_who_answer_the_last_place_at_once_one_is_heard(world):
    people = People(world)
    one = people.sample()
    other = Database(world.folder / "gm.db")
    told = []

    def work(db, person):
        said = GivenAnswer(kind=AnswerKind.BOXES, annotation=RIGHT, base_revision=0)
        try:
            told.append(answer(db, KEY, one, person, said, people.now).state)
        except ConflictError as error:
            told.append(type(error).__name__)

    threads = [threading.Thread(target=work, args=pair) for pair in ((world.db, "ann"), (other, "ben"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    other.close()
    assert sorted(told) == ["NotTakenError", "settled"]


def spread(number):
    share = 0.5 + (number * 37 % 100) / 250
    return Prediction(probabilities=(share, 1 - share), label=0)


@pytest.mark.sqlite
@pytest.mark.parametrize("order", [order for order in Order if order is not Order.K_CENTER])
def test_the_head_of_the_queue_is_a_look_into_an_index(world, order):
    """Each question is answered by an index in its order: nothing is sorted, and no table is walked."""
    people = People(world)
    for number in range(5):
        people.sample(prediction=spread(number))
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "FROM samples" in statement and "rank_entropy" in statement:
            asked.append((statement, parameters))

    with world.db.read() as session:
        job = world.job().id
        event.listen(session.get_bind(), "before_cursor_execute", note)
        ordered(session, job, order, 3, Viewer("ann", Panel(2, 0.5), people.now), audit=False)
        queue.head(session, job, "audit", 3, Viewer("ann", Panel(2, 0.5), people.now), audit=True)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        connection = session.connection()
        plans = [
            "\n".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {q}", p)) for q, p in asked
        ]
    assert len(plans) >= 2
    for plan in plans:
        assert "TEMP B-TREE" not in plan, plan
        assert "SCAN samples" not in plan, plan
        assert "USING INDEX ix_samples_" in plan, plan


@pytest.mark.sqlite
def test_no_count_walks_over_all_that_waits(world):
    people = People(world, annotators=2, share=0.5)
    for number in range(5):
        people.answer("ann", people.sample(prediction=spread(number)))
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "FROM samples" in statement or "JOIN samples" in statement:
            asked.append((statement, parameters))

    with world.db.read() as session:
        job, panel = world.job().id, Panel(2, 0.5)
        event.listen(session.get_bind(), "before_cursor_execute", note)
        label_counts.left_for(session, job, "ann", panel, people.now)
        queue.overdue(session, job, panel, 5)
        queue.labelled_probabilities(session, job, 5)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        connection = session.connection()
        told = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", values) for query, values in asked]
        plans = ["\n".join(str(row) for row in rows) for rows in told]
    assert len(plans) >= 8
    for plan in plans:
        assert "SCAN samples" not in plan, plan
        for index in ("ix_samples_queued", "ix_samples_by_", "ix_samples_page", "ix_samples_unlabelled "):
            assert index not in plan, plan


def test_samples_of_an_older_program_are_ranked_by_the_engine(world):
    people = People(world)
    torn = people.sample(prediction=Prediction(probabilities=(0.5, 0.5), label=0))
    sure = people.sample(prediction=Prediction(probabilities=(0.9, 0.1), label=0))
    none = people.sample()
    with world.db.write() as session:
        session.execute(
            text("UPDATE samples SET predicted = NULL, rank_entropy = 1, rank_margin = 1, rank_confidence = 1")
        )
    assert [row.score for row in labelling_queue(world.db, KEY, Order.ENTROPY, 5)] == [None] * 3
    assert {row.predicted for row in labelling_queue(world.db, KEY, Order.ENTROPY, 5)} == {-1}
    world.tick(2)
    found = labelling_queue(world.db, KEY, Order.ENTROPY, 5)
    assert [row.sample_id for row in found] == [torn, sure, none]
    assert [row.predicted for row in found] == [0, 0, -1]
    with world.db.read() as session:
        assert not older_samples.are_there(session, world.job().id)


def test_a_prediction_of_a_class_that_cannot_be_is_none(world):
    people = People(world)
    people.sample(prediction=Prediction(label=10**30))
    assert labelling_queue(world.db, KEY, Order.NEW_CLASSES, 5)[0].predicted == -1


def test_a_fresh_database_has_the_tables(tmp_path):
    db = fresh_database(tmp_path / "new.db")
    with db.read() as session:
        assert session.execute(text("SELECT count(*) FROM label_answers")).scalar_one() == 0
    db.close()
