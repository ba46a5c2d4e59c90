"""Who has which sample: leases, what is offered to whom, drafts."""

import contextlib

import pytest
from sqlalchemy import event

from fixtures_gm import BOX, KEY
from fixtures_people import LEASE, RIGHT, People
from globalmanager.db import jobs, label_counts, queue
from globalmanager.db.label_values import DraftAnnotation, DraftBox
from globalmanager.db.queue import Panel, Viewer
from globalmanager.ingest.removal import exclude_sample
from globalmanager.labelling import claiming, label_sample
from globalmanager.labelling.claiming import draft_of
from globalmanager.labelling.refusals import NotTakenError
from globalmanager.labelling.settling import settle
from sedna.common.errors import ConflictError, NotFoundError, TooLargeError
from sedna.common.types import Annotation, Picked, Prediction


def whole(*probabilities):
    return Prediction(probabilities=probabilities, label=probabilities.index(max(probabilities)))


@pytest.fixture
def people(world):
    return People(world)


def test_two_people_never_get_the_same_sample(people):
    ids = [people.sample() for _ in range(4)]
    assert people.claim("ann", 2) == ids[:2]
    assert people.claim("ben", 3) == ids[2:]
    found = people.claims("cid")
    assert (found.tasks, found.left, found.with_others) == ((), 0, 4)
    assert (found.next_free_at - people.now).total_seconds() == LEASE


def test_what_one_holds_comes_first_and_is_kept_on(people):
    ids = [people.sample() for _ in range(4)]
    people.claim("ann", 2)
    people.world.clock.advance(LEASE - 1)
    found = people.claims("ann", 3)
    assert [task.sample_id for task in found.tasks] == ids[:3]
    assert {(task.lease_expires_at - people.now).total_seconds() for task in found.tasks} == {LEASE}
    assert people.claim("ann", 1) == ids[:1]


def test_a_lease_ends_by_itself_and_the_next_person_gets_the_sample(people):
    (one,) = [people.sample()]
    people.claim("ann")
    people.world.clock.advance(LEASE - 0.5)
    waits = people.claims("ben")
    assert waits.tasks == ()
    assert (waits.next_free_at - people.now).total_seconds() == 0.5
    people.world.clock.advance(0.5)
    assert people.claim("ben") == [one]
    with pytest.raises(NotTakenError, match="kept for somebody else"):
        people.answer("ann", one)
    assert draft_of(people.world.db, KEY, one, "ann").annotation.boxes[0].x2 == 5
    assert people.answer("ben", one).state == "settled"


def test_who_comes_late_is_heard_where_nobody_else_has_the_sample(people):
    one = people.sample()
    people.claim("ann")
    people.world.clock.advance(10 * LEASE)
    assert people.answer("ann", one).state == "settled"


def test_a_draft_keeps_the_sample_and_comes_back_with_it(people):
    one = people.sample()
    people.claim("ann")
    people.world.clock.advance(LEASE - 1)
    half = DraftAnnotation(boxes=(DraftBox(x1=3, y1=3, x2=3, y2=3),))
    kept = people.draft("ann", one, kind="boxes", annotation=half)
    assert (kept.lease_expires_at - people.now).total_seconds() == LEASE
    people.world.clock.advance(LEASE - 1)
    assert people.claims("ben").tasks == ()
    people.world.clock.advance(2)
    assert people.claim("ben") == [one]
    with pytest.raises(NotTakenError, match="kept for somebody else"):
        people.draft("ann", one, annotation=half.model_copy(update={"label": 1}))
    people.give_back("ben", one)
    (task,) = people.claims("ann").tasks
    assert task.draft.annotation == half.model_copy(update={"label": 1})
    people.answer("ann", one)
    with pytest.raises(NotFoundError, match="no draft of yours"):
        draft_of(people.world.db, KEY, one, "ann")


def test_a_skipped_sample_comes_last_for_this_person_alone(people):
    ids = [people.sample() for _ in range(3)]
    people.claim("ann", 1)
    people.skip("ann", ids[0])
    assert people.claim("ann", 3) == [ids[1], ids[2], ids[0]]
    people.give_back("ann", ids[0])
    assert people.claim("ben", 3) == [ids[0]]


def test_what_nobody_should_label_is_not_offered(people):
    ids = [people.sample() for _ in range(3)]
    label_sample(people.world.db, KEY, ids[0], BOX, "cid", people.now)
    exclude_sample(people.world.db, people.world.store, KEY, ids[1], reason="thumb", author="cid", now=people.now)
    assert people.claim("ann") == [ids[2]]
    with pytest.raises(NotTakenError, match="taken out"):
        people.claim("ann", samples=[ids[1]])
    with pytest.raises(NotFoundError):
        people.claim("ann", samples=["f" * 64])


def test_a_settled_sample_can_be_asked_for_and_labelled_again(people):
    one = people.sample()
    label_sample(people.world.db, KEY, one, BOX, "cid", people.now)
    (task,) = people.claims("ann", samples=[one]).tasks
    assert task.revision == 1
    with pytest.raises(NotTakenError, match="somebody else"):
        people.claim("ben", samples=[one])
    done = people.answer("ann", one, Annotation(), "nothing", base_revision=1)
    assert (done.state, done.revision) == ("settled", 2)


def test_a_lease_on_a_sample_that_was_labelled_elsewhere_is_void(people):
    one = people.sample()
    people.claim("ann")
    label_sample(people.world.db, KEY, one, BOX, "cid", people.now)
    assert people.claims("ann").tasks == ()
    with pytest.raises(NotTakenError, match="cid has labelled it") as caught:
        people.answer("ann", one, Annotation(), "nothing")
    assert caught.value.current["revision"] == 1
    assert caught.value.current["annotation"]["boxes"][0]["x2"] == 5
    assert (caught.value.current["author"], caught.value.current["source"]) == ("cid", "person")
    assert people.answer("ann", one, Annotation(), "nothing", base_revision=1).revision == 2


def test_the_order_is_that_of_the_job_or_the_one_that_is_asked_for(people):
    sure = people.sample(prediction=whole(0.99, 0.01))
    torn = people.sample(prediction=whole(0.5, 0.5))
    assert people.claim("ann", 1) == [torn]
    people.give_back("ann", torn)
    assert people.claim("ann", 1, order="oldest") == [sure]
    people.give_back("ann", sure)
    people.apply(order="oldest")
    assert people.claim("ann", 2) == [sure, torn]


@pytest.mark.parametrize("order", ["disagreement", "new_classes", "k_center", "margin", "least_confidence"])
def test_every_order_gives_all_there_is(people, order):
    ids = {people.sample(prediction=whole(0.5 + 0.05 * k, 0.5 - 0.05 * k)) for k in range(5)}
    assert set(people.claim("ann", 20, order=order)) == ids


def test_new_classes_first(people):
    for _ in range(2):
        people.world.sample(label=BOX)  # of class 0
    common = people.sample(prediction=whole(0.5, 0.3, 0.2))
    none = people.sample()
    rare = people.sample(prediction=whole(0.1, 0.1, 0.8))
    assert people.claim("ann", order="new_classes") == [rare, common, none]


def test_audit_samples_are_drawn_by_chance_and_not_by_their_score(world):
    people = People(world)
    torn = people.sample(prediction=whole(0.5, 0.5), picked=Picked.AUDIT)
    sure = [people.sample(prediction=whole(0.99, 0.01)) for _ in range(2)]
    assert people.claim("ann", 2) == sure
    people.give_back("ann", sure[0])
    people.give_back("ann", sure[1])
    people.draw = 0.0
    assert people.claim("ann", 2) == [torn, sure[0]]


def test_an_audit_sample_is_offered_where_nothing_else_is_left(people):
    audit = people.sample(picked=Picked.AUDIT)
    assert people.claim("ann") == [audit]


def test_an_audit_sample_has_no_suggestion_and_some_others_have_none_either(people):
    said = whole(0.6, 0.4)
    hidden = people.sample(prediction=said, picked=Picked.AUDIT)
    ids = {people.sample(prediction=said): None for _ in range(60)}
    shown = {}
    for _ in range(4):
        for task in people.claims("ann", 20, order="oldest").tasks:
            shown[task.sample_id] = task.suggestion
            people.answer("ann", task.sample_id)
    assert set(shown) == {hidden, *ids}
    assert shown[hidden] is None
    without = [sample for sample in ids if shown[sample] is None]
    assert 0 < len(without) < len(ids) / 2
    one = next(found for found in shown.values() if found is not None)
    assert (one.source, one.version, one.label, one.score) == ("model", 1, 0, 0.6)


def test_an_image_of_a_data_set_has_no_suggestion(people):
    one = people.sample(model_version=0, picked=Picked.IMPORT)
    assert people.claims("ann").tasks[0].sample_id == one
    assert people.claims("ann").tasks[0].suggestion is None


def test_several_people_only_where_the_job_asks_for_them(world):
    people = People(world, annotators=2)
    one = people.sample()
    assert people.claim("ann") == people.claim("ben") == [one]
    assert people.claims("cid").with_others == 1
    people.answer("ann", one)
    assert people.claims("ann").tasks == ()
    assert people.claims("ann").left == 0
    assert people.claims("cid").tasks == ()
    people.give_back("ben", one)
    assert people.claim("cid") == [one]


def test_a_share_of_the_samples_is_asked_of_several(world):
    people = People(world, annotators=2, share=0.5)
    ids = {people.sample() for _ in range(20)}
    assert set(people.claim("ann", 20)) == ids
    assert set(people.claim("ben", 20)) == {sample for sample in ids if sample < "8"}


def test_a_claim_of_what_one_has_answered_is_refused(world):
    people = People(world, annotators=2)
    one = people.sample()
    people.answer("ann", one)
    with pytest.raises(ConflictError, match="answered it already"):
        people.claim("ann", samples=[one])
    with pytest.raises(ConflictError, match="answered it already"):
        people.draft("ann", one)


def test_more_boxes_than_anybody_draws_are_refused(people):
    one = people.sample()
    boxes = (DraftBox(x1=0, y1=0, x2=1, y2=1),) * 10_001
    with pytest.raises(TooLargeError, match=r"10001 boxes.*at most 10000"):
        people.draft("ann", one, annotation=DraftAnnotation(boxes=boxes))
    people.draft("ann", one, annotation=DraftAnnotation(boxes=boxes[:10_000]))
    assert len(draft_of(people.world.db, KEY, one, "ann").annotation.boxes) == 10_000


def test_a_job_that_asks_for_fewer_people_settles_what_has_enough(world):
    people = People(world, annotators=3)
    one, other = people.sample(), people.sample()
    for person in ("ann", "ben"):
        people.answer(person, one)
    people.answer("ann", other)
    people.apply(annotators=2)
    assert people.claim("cid", 1) == [other]
    with world.db.read() as session:
        assert jobs.get(session, KEY).totals.labelled == 1


def test_what_is_overdue_is_settled_one_sample_at_a_time(world, monkeypatch):
    people = People(world, annotators=3)
    ids = [people.sample() for _ in range(3)]
    for sample in ids:
        for person in ("ann", "ben"):
            people.answer(person, sample)
    people.apply(annotators=2)
    sessions = []

    def spy(session, job, task, now):
        sessions.append(session)
        assert len(set(map(id, sessions))) == len(sessions), "other writers come in between"
        if len(sessions) == 2:  # of the others, none is lost with it
            raise RuntimeError("made for a test")
        settle(session, job, task, now)

    monkeypatch.setattr(claiming, "settle", spy)
    with pytest.raises(RuntimeError, match="made for a test"):
        people.claim("cid")
    assert world.job().totals.labelled == 1
    assert people.claim("cid") == []
    assert world.job().totals.labelled == 3


def test_nothing_that_grows_is_walked_while_writers_wait(people, monkeypatch):
    ids = [people.sample() for _ in range(4)]
    people.claim("ann", 1)
    people.skip("ann", ids[0])
    writing, walks = [], []
    write = people.world.db.write

    @contextlib.contextmanager
    def noted(**how):
        with write(**how) as session:
            writing.append(session)
            yield session

    def spied(walk):
        def spy(session, *args, **more):
            walks.append(session)
            return walk(session, *args, **more)

        return spy

    monkeypatch.setattr(people.world.db, "write", noted)
    for module, name in ((queue, "head"), (queue, "overdue"), (label_counts, "left_for")):
        monkeypatch.setattr(module, name, spied(getattr(module, name)))
    assert people.claim("ann", 4) == [*ids[1:], ids[0]]
    assert (len(writing), len(walks) >= 4) == (1, True)
    assert not {id(session) for session in writing} & {id(session) for session in walks}


def test_who_was_too_slow_gets_other_samples(people, monkeypatch):
    ids = [people.sample() for _ in range(4)]
    chosen = claiming._chosen
    taken = []

    def slow(*args):
        rows = chosen(*args)
        if not taken:
            taken.append("ben")
            taken[:] = people.claim("ben", 2)
        return rows

    monkeypatch.setattr(claiming, "_chosen", slow)
    assert people.claim("ann", 3) == ids[2:]
    assert taken == ids[:2]


def test_two_windows_of_a_person_get_no_more_than_one(people, monkeypatch):
    ids = [people.sample() for _ in range(6)]
    chosen = claiming._chosen
    taken = []

    def slow(*args):
        rows = chosen(*args)
        if not taken:
            taken.append("another window")
            taken[:] = people.claim("ann", 3)
        return rows

    monkeypatch.setattr(claiming, "_chosen", slow)
    assert people.claim("ann", 3) == taken == ids[:3]


@pytest.mark.sqlite
def test_what_a_person_has_skipped_is_found_without_a_walk_over_what_waits(people):
    skipped, _ = people.sample(), people.sample()
    people.claim("ann", 1)
    people.skip("ann", skipped)
    asked = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if "rank_entropy" in statement:
            asked.append((statement, parameters))

    with people.world.db.read() as session:
        job, viewer = people.world.job().id, Viewer("ann", Panel(1, 1), people.now)
        event.listen(session.get_bind(), "before_cursor_execute", note)
        found = queue.head(session, job, "oldest", 3, viewer, skipped=True)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        [(statement, values)] = asked
        plan = [str(row) for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert [row.sample_id for row in found] == [skipped]
    [own] = [step for step in plan if " samples " in step]
    assert " id=?" in own or "(rowid=?)" in own, plan


def test_the_counts_of_a_person(world):
    people = People(world, annotators=2)
    ids = [people.sample() for _ in range(5)]
    people.answer("ann", ids[0], RIGHT)
    people.claim("ben", 2)
    found = people.claims("ann", 1)
    assert (len(found.tasks), found.left, found.with_others) == (1, 4, 0)
