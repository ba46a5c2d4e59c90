"""What people say, what comes of it, and what they take back."""

import pytest

from fixtures_gm import BOX, KEY
from fixtures_people import OTHER, RIGHT, People, drawn, of_class
from globalmanager.db import claims, datasets, jobs, queue, sample_labels, samples
from globalmanager.db import reviews as db_reviews
from globalmanager.db.label_values import LabelSource, ReviewReason
from globalmanager.ingest.removal import exclude_sample, include_sample
from globalmanager.labelling import label_sample
from globalmanager.labelling.claiming import draft_of
from globalmanager.labelling.consensus import COMPARED_BOXES
from globalmanager.labelling.refusals import NotTakenError
from globalmanager.labelling.reviewing import Decision, answers_of, decide_review, list_reviews
from globalmanager.labelling.summary import people_agree, summary_of
from sedna.common.errors import AuthError, ConflictError, DataError, NotFoundError, TooLargeError
from sedna.common.types import Annotation, Box, Picked, Prediction


@pytest.fixture
def people(world):
    return People(world)


@pytest.fixture
def two(world):
    return People(world, annotators=2)


@pytest.fixture
def three(world):
    return People(world, annotators=3)


def story(people, sample):
    with people.world.db.read() as session:
        return samples.story(session, people.world.job().id, sample)


def totals(people):
    with people.world.db.read() as session:
        return jobs.get(session, KEY).totals


def reviews(people, reason=None):
    return list_reviews(people.world.db, KEY, reason, limit=10, cursor=None).items


def decide(people, person, sample, **decision):
    said = Decision(**{"base_revision": 0, **decision})
    return decide_review(people.world.db, KEY, sample, person, said, people.now)


def doubt(people, sample):
    with people.world.db.write() as session:
        job = people.world.job().id
        row = queue.task(session, job, sample).id
        db_reviews.add(session, job, row, ReviewReason.LABEL_ERROR, "made for a test", people.now)


def the_round_takes_all(people):
    with people.world.db.write() as session:
        job = people.world.job().id
        samples.take_new(session, job, 1)
        return datasets.create(session, job, 1, 1, people.now)


# --- one person settles a sample ------------------------------------------------------------------------------------


def test_one_answer_settles_a_sample_where_the_job_says_no_more(people):
    one = people.sample()
    people.claim("ann")
    done = people.answer("ann", one, RIGHT, seconds=3.5, undoes=1)
    assert (done.state, done.revision, done.answers, done.wanted) == ("settled", 1, 1, 1)
    (label,) = story(people, one).labels
    assert (label.author, label.source, label.annotation) == ("ann", "person", RIGHT)
    assert people.world.unused() == 1
    with people.world.db.read() as session:
        assert claims.live_of(session, people.world.job().id, "ann", people.now) == ()


def test_nothing_there_is_an_answer(people):
    one = people.sample()
    assert people.answer("ann", one, None, "nothing").state == "settled"
    assert story(people, one).sample.label.annotation == Annotation()


def test_a_score_of_the_model_is_not_in_the_label(people):
    one = people.sample()
    people.answer("ann", one, Annotation(boxes=(Box(x1=1, y1=1, x2=5, y2=5, label=0, score=0.4),)))
    assert story(people, one).sample.label.annotation == RIGHT


def test_not_sure_goes_to_review_and_a_bad_picture_is_set_aside(people):
    unsure, bad = people.sample(), people.sample()
    assert people.answer("ann", unsure, None, "unsure").state == "review"
    (item,) = reviews(people, ReviewReason.UNSURE)
    assert (item.sample_id, item.sentence) == (unsure, "not sure: ann")
    assert people.answer("ann", bad, None, "bad").state == "bad"
    assert story(people, bad).exclusions[0].reason == "a bad picture, by ann"
    assert people.claim("ben") == []
    assert summary_of(people.world.db, KEY, people.now).bad == 1
    include_sample(people.world.db, KEY, bad, "cid", people.now)
    assert people.claim("ann") == [bad]
    assert people.answer("ann", bad).state == "settled"


@pytest.mark.parametrize(
    ("annotation", "kind", "words"),
    [
        (drawn(1, 1, 9, 5), "boxes", "x2 is 9.0, outside the image"),
        (drawn(1, 1, 1.5, 5), "boxes", "thinner than one pixel"),
        (drawn(1, 1, 5, 5, label=2), "boxes", "class 2 is not known.*0 to 1: good, bad"),
        (of_class(5), "class", "class 5 is not known"),
        (Annotation(), "boxes", "an answer of boxes has boxes"),
        (None, "class", "an answer of a class names one"),
        (RIGHT, "nothing", "says that nothing is there, and something"),
        (RIGHT, "class", "names one, and has no boxes"),
    ],
)
def test_what_cannot_be_a_label_is_refused_and_what_was_drawn_is_kept(people, annotation, kind, words):
    one = people.sample()
    people.claim("ann")
    with pytest.raises(DataError, match=words):
        people.answer("ann", one, annotation, kind)
    assert story(people, one).labels == ()
    if annotation is not None and (annotation.boxes or annotation.label is not None):
        kept = draft_of(people.world.db, KEY, one, "ann")
        assert kept.annotation.label == annotation.label
        assert [box.x2 for box in kept.annotation.boxes] == [box.x2 for box in annotation.boxes]
    assert people.answer("ann", one).state == "settled"


def test_ten_thousand_boxes_are_taken_and_more_are_not(people):
    one = people.sample()
    with pytest.raises(TooLargeError, match="10001 boxes"):
        people.answer("ann", one, Annotation(boxes=RIGHT.boxes * 10_001))
    assert people.answer("ann", one, Annotation(boxes=RIGHT.boxes * 10_000)).state == "settled"


def test_the_other_kind_of_label_is_refused(people):
    first, second = people.sample(), people.sample()
    people.answer("ann", first)
    with pytest.raises(DataError, match="the job's labels are boxes"):
        people.answer("ann", second, of_class(0))


def test_a_class_that_is_called_otherwise_by_now(people):
    one, other = people.sample(), people.sample()
    people.claim("ann")
    people.apply(class_names=("good", "worse", "bad"))
    with pytest.raises(NotTakenError, match="class 1 was 'bad' when this was drawn, and is 'worse' now") as caught:
        people.answer("ann", one, drawn(1, 1, 5, 5, label=1), class_names=("good", "bad"))
    assert caught.value.current == {"class_names": ["good", "worse", "bad"]}
    assert draft_of(people.world.db, KEY, one, "ann").annotation.boxes[0].label == 1
    people.apply(class_names=("good",))
    with pytest.raises(NotTakenError, match="is no class now"):
        people.answer("ann", one, drawn(1, 1, 5, 5, label=1), class_names=("good", "bad"))
    assert people.answer("ann", other, RIGHT, class_names=("good", "bad")).state == "settled"


def test_a_sample_that_was_taken_out_while_somebody_drew(people):
    one = people.sample()
    people.claim("ann")
    exclude_sample(
        people.world.db, people.world.store, KEY, one, reason="a face", author="cid", now=people.now, delete=True
    )
    with pytest.raises(NotTakenError, match="was taken out"):
        people.answer("ann", one)
    assert draft_of(people.world.db, KEY, one, "ann").annotation.boxes
    with pytest.raises(NotFoundError):
        people.answer("ann", "f" * 64)


def test_the_frozen_hold_out_is_not_changed_in_passing(people):
    one = people.sample()
    with people.world.db.write() as session:
        samples.hold_out(session, people.world.job().id, one)
    assert people.claim("ann") == []
    label_sample(people.world.db, KEY, one, BOX, "cid", people.now)
    with pytest.raises(sample_labels.HoldoutError):
        people.claim("ann", samples=[one])
    with pytest.raises(sample_labels.HoldoutError):
        people.answer("ann", one, OTHER, base_revision=1)
    assert story(people, one).sample.label.author == "cid"


@pytest.mark.parametrize("kind", ["bad", "unsure"])
def test_nobody_takes_the_frozen_hold_out_out_in_passing(people, kind):
    one = people.sample()
    with people.world.db.write() as session:
        samples.hold_out(session, people.world.job().id, one)
    label_sample(people.world.db, KEY, one, BOX, "cid", people.now)
    with pytest.raises(sample_labels.HoldoutError, match="an admin may exclude"):
        people.answer("ann", one, None, kind, base_revision=1)
    doubt(people, one)
    with pytest.raises(sample_labels.HoldoutError, match="an admin may exclude"):
        decide(people, "ann", one, bad=True, base_revision=1)
    told = story(people, one).sample
    assert (told.excluded, told.label.author, totals(people).holdout) == (False, "cid", 1)


def test_one_who_finds_a_labelled_picture_bad_asks_for_a_decision(three):
    one = three.sample()
    for person in ("ann", "ben", "cid"):
        three.answer(person, one)
    assert three.answer("dan", one, None, "bad", base_revision=1).state == "review"
    (item,) = reviews(three, ReviewReason.DISAGREEMENT)
    assert (item.sentence, item.label.annotation) == ("a bad picture for dan, and it has a label", RIGHT)
    assert totals(three).labelled == 1
    assert decide(three, "eve", one, bad=True, base_revision=1).state == "bad"
    assert totals(three).labelled == 0


def test_the_same_key_says_it_once(people):
    one, other = people.sample(), people.sample()
    done = people.answer("ann", one, key="k1")
    assert people.answer("ann", one, key="k1") == done
    assert len(story(people, one).labels) == 1
    with pytest.raises(ConflictError, match="belongs to another answer"):
        people.answer("ann", one, OTHER, key="k1")
    with pytest.raises(ConflictError, match="belongs to another answer"):
        people.answer("ann", other, key="k1")
    assert people.answer("ben", other, key="k1").state == "settled"
    people.withdraw("ann", done.answer_id)
    again = people.answer("ann", one, key="k1")
    assert (again.answer_id, again.state) == (done.answer_id, "waiting")


# --- several people -------------------------------------------------------------------------------------------------


def test_only_what_all_have_answered_and_agree_on_is_a_label(two):
    one = two.sample()
    first = two.answer("ann", one)
    assert (first.state, first.answers, first.wanted) == ("answered", 1, 2)
    assert totals(two).labelled == 0
    with pytest.raises(ConflictError, match="answered it already"):
        two.answer("ann", one)
    done = two.answer("ben", one, drawn(1, 1, 5, 4.8))
    assert (done.state, done.answers, done.wanted) == ("settled", 2, 2)
    (label,) = story(two, one).labels
    assert (label.source, label.author) == ("consensus", "ann, ben")
    assert label.annotation.boxes[0].y2 == pytest.approx(4.9)
    with pytest.raises(NotTakenError, match="ann, ben has labelled it"):
        two.answer("cid", one)


def test_what_differs_too_much_goes_to_review_and_trains_nothing(two):
    one = two.sample()
    a = two.answer("ann", one).answer_id
    assert two.answer("ben", one, OTHER).state == "review"
    assert totals(two).labelled == 0
    (item,) = reviews(two)
    assert (item.reasons, item.agreement) == ((ReviewReason.DISAGREEMENT,), 0.0)
    assert item.sentence == "boxes of ann 1, ben 1: overlap 0.00"
    assert [(said.person, said.annotation) for said in item.answers] == [("ann", RIGHT), ("ben", OTHER)]
    assert two.claim("cid") == []
    with pytest.raises(NotTakenError, match="in review"):
        two.answer("cid", one)
    done = decide(two, "cid", one, take=a)
    assert (done.state, done.revision) == ("settled", 1)
    (label,) = story(two, one).labels
    assert (label.source, label.author, label.annotation) == ("review", "cid", RIGHT)
    assert reviews(two) == ()
    with pytest.raises(NotTakenError, match="cid has labelled it"):
        decide(two, "dan", one, take=a)
    with pytest.raises(ConflictError, match="somebody else has labelled"):
        two.withdraw("ann", a)


def test_more_boxes_than_can_be_compared_are_somebodys_to_decide(two):
    one = two.sample()
    many = Annotation(boxes=RIGHT.boxes * (COMPARED_BOXES + 1))
    two.answer("ann", one, many)
    assert two.answer("ben", one, many).state == "review"
    (item,) = reviews(two)
    assert item.sentence == f"{COMPARED_BOXES + 1} boxes are too many to be compared"
    assert people_agree(two.world.db, KEY).pairs == ()


@pytest.mark.parametrize("said", [{"annotation": OTHER}, {"bad": True, "reason": "blurred"}])
def test_a_decision_may_be_something_else(two, said):
    one = two.sample()
    two.answer("ann", one)
    two.answer("ben", one, None, "nothing")
    done = decide(two, "cid", one, **said)
    assert done.state == ("bad" if "bad" in said else "settled")
    assert reviews(two) == ()
    counts = summary_of(two.world.db, KEY, two.now)
    assert (counts.review, counts.bad, counts.settled) == (0, *((1, 0) if "bad" in said else (0, 1)))


def test_a_decision_that_cannot_be_a_label(two):
    one, other = two.sample(), two.sample()
    unsure = two.answer("ann", one, None, "unsure").answer_id
    two.answer("ben", one, OTHER)
    elsewhere = two.answer("ann", other).answer_id
    with pytest.raises(DataError, match="says nothing of the picture"):
        decide(two, "cid", one, take=unsure)
    with pytest.raises(NotFoundError, match="no answer to this sample"):
        decide(two, "cid", one, take=elsewhere)
    with pytest.raises(DataError, match="outside the image"):
        decide(two, "cid", one, annotation=drawn(1, 1, 50, 5))
    with pytest.raises(NotTakenError, match="not in review: answered"):
        decide(two, "cid", other, annotation=RIGHT)
    with pytest.raises(ValueError, match="exactly one of"):
        Decision(base_revision=0)
    assert len(reviews(two)) == 1


def test_people_do_not_see_each_other_before_the_sample_is_settled(two):
    one = two.sample()
    two.answer("ann", one)

    def seen(person):
        return [said.person for said in answers_of(two.world.db, KEY, one, person)]

    assert (seen("ann"), seen("ben")) == (["ann"], [])
    two.answer("ben", one)
    assert seen("cid") == ["ann", "ben"]


def test_most_of_three_win(three):
    one = three.sample()
    for person, label in (("ann", 0), ("ben", 1), ("cid", 1)):
        state = three.answer(person, one, of_class(label)).state
    assert state == "settled"
    assert story(three, one).sample.label.annotation == of_class(1)


def test_a_higher_floor_wants_more_agreement(world):
    people = People(world, annotators=3, agreement=0.8)
    one = people.sample()
    for person, label in (("ann", 0), ("ben", 1), ("cid", 1)):
        people.answer(person, one, of_class(label))
    (item,) = reviews(people)
    assert item.sentence == "2 of 3 say class 1, 1 of 3 say class 0"
    assert item.agreement == pytest.approx(2 / 3)


def test_who_is_known_to_be_right_breaks_a_tie(world):
    """Ann and ben agree with the truth, cid says anything: with a tie between ben and cid, ben is believed."""
    people = People(world, annotators=3)
    for number in range(24):
        one = people.sample()
        truth = number % 2
        for person, label in (("ann", truth), ("ben", truth), ("cid", number // 2 % 2)):
            people.answer(person, one, of_class(label))
    people.apply(annotators=2)
    one = people.sample()
    people.answer("ben", one, of_class(0))
    assert people.answer("cid", one, of_class(1)).state == "settled"
    assert story(people, one).sample.label.annotation == of_class(0)
    unknown = people.sample()
    people.answer("dan", unknown, of_class(0))
    assert people.answer("cid", unknown, of_class(1)).state == "review"


def test_samples_that_people_differ_on_come_first_in_that_order(three):
    calm, hot = three.sample(), three.sample()
    for person, label in (("ann", 0), ("ben", 1)):
        three.answer(person, calm, of_class(0))
        three.answer(person, hot, of_class(label))
    assert three.claim("cid", 1, order="disagreement") == [hot]


def test_a_label_from_elsewhere_ends_what_people_had_begun(two):
    one = two.sample()
    mine = two.answer("ann", one).answer_id
    label_sample(two.world.db, KEY, one, OTHER, "boss", two.now)
    assert [label.author for label in story(two, one).labels] == ["boss"]
    with pytest.raises(ConflictError, match="somebody else has labelled"):
        two.withdraw("ann", mine)
    assert two.claim("ben") == []


# --- taking back ----------------------------------------------------------------------------------------------------


def test_an_answer_can_be_taken_back_and_given_again(people):
    one = people.sample()
    done = people.answer("ann", one, drawn(1, 1, 4, 4))
    part = story(people, one).sample.part
    back = people.withdraw("ann", done.answer_id)
    assert (back.state, back.revision) == ("waiting", 0)
    assert people.withdraw("ann", done.answer_id) == back
    assert (totals(people).labelled, totals(people).unlabelled, people.world.unused()) == (0, 1, 0)
    assert people.claim("ben") == []
    (task,) = people.claims("ann").tasks
    assert task.draft.annotation.boxes[0].x2 == 4
    again = people.answer("ann", one, RIGHT)
    assert (again.state, again.revision) == ("settled", 2)
    told = story(people, one)
    assert [label.withdrawn_at is not None for label in told.labels] == [True, False]
    assert (told.sample.label.annotation, told.sample.part) == (RIGHT, part)
    version = the_round_takes_all(people)
    with people.world.db.read() as session:
        (member,) = datasets.members(session, people.world.job().id, version.label_seq)
    assert member.annotation == RIGHT


def test_what_was_taken_back_is_in_no_version(people):
    one, other = people.sample(), people.sample()
    people.withdraw("ann", people.answer("ann", one).answer_id)
    people.answer("ann", other)
    version = the_round_takes_all(people)
    with people.world.db.read() as session:
        members = list(datasets.members(session, people.world.job().id, version.label_seq))
    assert [member.sample_id for member in members] == [other]
    assert (version.train + version.eval, story(people, one).dataset_versions) == (1, ())


def test_the_shares_of_training_and_evaluation_stay_what_they_are(people):
    ids = [people.sample() for _ in range(8)]
    for sample in ids:
        people.withdraw("ann", people.answer("ann", sample).answer_id)
        people.answer("ann", sample)
    assert (totals(people).train, totals(people).eval) == (4, 4)


def test_a_label_that_a_round_has_taken_stays(people):
    one = people.sample()
    done = people.answer("ann", one)
    the_round_takes_all(people)
    with pytest.raises(ConflictError, match="round 1 has taken the label into dataset version 1"):
        people.withdraw("ann", done.answer_id)
    assert totals(people).labelled == 1
    with people.world.db.write() as session:
        samples.release(session, people.world.job().id, 1)  # its version stays
    with pytest.raises(ConflictError, match="round 1"):
        people.withdraw("ann", done.answer_id)


def test_the_label_before_counts_again(people):
    one = people.sample(picked=Picked.AUDIT, prediction=Prediction(boxes=RIGHT.boxes))
    label_sample(people.world.db, KEY, one, RIGHT, "cid", people.now)
    the_round_takes_all(people)
    people.claim("ann", samples=[one])
    done = people.answer("ann", one, OTHER, base_revision=1)
    people.withdraw("ann", done.answer_id)
    told = story(people, one).sample
    assert (told.label.author, told.label.annotation, told.labelled_at is None) == ("cid", RIGHT, False)
    with people.world.db.read() as session:
        assert samples.audit(session, people.world.job().id, 1, 10).precision == 1.0


def test_the_answers_of_others_stay_when_one_is_taken_back(two):
    one = two.sample()
    first = two.answer("ann", one)
    second = two.answer("ben", one)
    back = two.withdraw("ann", first.answer_id)
    assert (back.state, back.answers, back.wanted) == ("answered", 1, 2)
    assert totals(two).labelled == 0
    assert two.claim("cid") == []
    assert two.answer("ann", one).state == "settled"
    assert [said.withdrawn for said in answers_of(two.world.db, KEY, one, "cid")] == [True, False, False]
    assert two.withdraw("ben", second.answer_id).state == "answered"


@pytest.mark.parametrize("kind", ["unsure", "bad"])
def test_review_and_bad_pictures_can_be_taken_back(people, kind):
    one = people.sample()
    done = people.answer("ann", one, None, kind)
    assert people.withdraw("ann", done.answer_id).state == "waiting"
    assert reviews(people) == ()
    assert people.answer("ann", one).state == "settled"
    assert totals(people).labelled == 1


def test_who_has_answered_again_takes_the_newer_answer_back_first(people):
    one = people.sample()
    first = people.answer("ann", one)
    second = people.answer("ann", one, None, "unsure", base_revision=1)
    with pytest.raises(ConflictError, match="withdraw your newer answer first"):
        people.withdraw("ann", first.answer_id)
    assert [item.label.author for item in reviews(people)] == ["ann"]
    assert people.withdraw("ann", second.answer_id).state == "settled"
    assert people.withdraw("ann", first.answer_id).state == "waiting"
    assert totals(people).labelled == 0


def test_the_newest_word_of_the_others_counts_when_a_label_is_taken_back(two):
    one = two.sample()
    first = two.answer("ann", one)
    two.answer("ben", one)
    newer = two.answer("ben", one, None, "unsure", base_revision=1)
    assert newer.state == "review"
    back = two.withdraw("ann", first.answer_id)
    assert (back.state, back.answers) == ("answered", 1)
    assert reviews(two) == ()
    assert two.answer("ann", one, OTHER).state == "review"
    (item,) = reviews(two)
    assert [(said.person, said.kind) for said in item.answers] == [("ben", "unsure"), ("ann", "boxes")]


def test_a_doubt_is_still_one_when_the_label_is_taken_back(people):
    one = people.sample()
    first = people.answer("ann", one)
    people.answer("ben", one, None, "unsure", base_revision=1)
    assert people.withdraw("ann", first.answer_id).state == "review"
    (item,) = reviews(people, ReviewReason.UNSURE)
    assert (item.label, [said.person for said in item.answers]) == (None, ["ben"])


def test_what_an_admin_has_excluded_stays_out_whatever_people_take_back(three):
    one = three.sample()
    done = [three.answer(person, one, None, "bad") for person in ("ann", "ben", "cid")]
    assert done[-1].state == "bad"
    for _ in range(2):
        exclude_sample(three.world.db, three.world.store, KEY, one, reason="a face", author="eve", now=three.now)
    assert [(row.author, row.reason, row.ended) for row in story(three, one).exclusions] == [
        ("ann, ben, cid", "a bad picture, by ann, ben, cid", True),
        ("eve", "a face", False),
    ]
    with pytest.raises(ConflictError, match="somebody else has taken the sample out since"):
        three.withdraw("ann", done[0].answer_id)
    assert story(three, one).sample.excluded
    assert totals(three).samples == 0
    include_sample(three.world.db, KEY, one, "eve", three.now)
    assert three.claim("ann") == [one]
    assert totals(three).samples == 1


def test_a_label_that_a_model_doubts_can_be_taken_back(people):
    one = people.sample()
    done = people.answer("ann", one)
    doubt(people, one)
    assert [item.label.author for item in reviews(people, ReviewReason.LABEL_ERROR)] == ["ann"]
    assert people.withdraw("ann", done.answer_id).state == "waiting"
    assert reviews(people) == ()
    assert people.answer("ann", one, OTHER).state == "settled"


def test_an_answer_belongs_to_who_gave_it(people):
    done = people.answer("ann", people.sample())
    with pytest.raises(AuthError, match="of ann"):
        people.withdraw("ben", done.answer_id)
    with pytest.raises(NotFoundError, match="no such answer"):
        people.withdraw("ann", done.answer_id + 1)


# --- figures --------------------------------------------------------------------------------------------------------


def test_how_far_it_is_and_how_well_people_agree(two):
    agreed, differed, begun, waits, held = (two.sample() for _ in range(5))
    for person, box in (("ann", RIGHT), ("ben", drawn(1, 1, 5, 4.2))):
        two.answer(person, agreed, box, seconds=4)
    two.answer("ann", differed, RIGHT, seconds=6)
    two.answer("ben", differed, OTHER, seconds=8)
    two.answer("ann", begun, seconds=8)
    two.claim("cid", samples=[held])
    found = summary_of(two.world.db, KEY, two.now)
    assert (found.waiting, found.answered, found.claimed, found.settled, found.review, found.bad) == (3, 1, 1, 1, 1, 0)
    assert [(one.person, one.answers, one.median_seconds) for one in found.by_person] == [("ann", 3, 6), ("ben", 2, 6)]
    (pair,) = found.agreement.pairs
    assert (pair.a, pair.b, pair.samples, pair.mean_iou) == ("ann", "ben", 2, pytest.approx(0.8))
    assert (pair.f1, pair.overlap) == (0.5, pytest.approx(0.4))
    assert [(one.label, one.named, one.agreed) for one in found.agreement.classes] == [(0, 2, 1), (1, 1, 0)]
    assert waits not in two.claim("cid", samples=[held])
    assert people_agree(two.world.db, KEY) == found.agreement


def test_the_kappa_of_classes_is_the_textbook_one(three):
    table = [(0, 0, 1), (1, 1, 1), (0, 0, 0), (1, 0, 1), (0, 0, 1)]
    for row in table:
        one = three.sample()
        for person, label in zip(("ann", "ben", "cid"), row, strict=True):
            three.answer(person, one, of_class(label))
    found = people_agree(three.world.db, KEY)
    assert (found.samples, found.fleiss_samples) == (5, 5)
    assert found.fleiss == pytest.approx(0.196429, abs=1e-6)
    kappas = {(pair.a, pair.b): pair.kappa for pair in found.pairs}
    assert kappas["ann", "ben"] == pytest.approx((0.8 - 0.56) / 0.44)
    assert {pair.mean_iou for pair in found.pairs} == {None}


def test_every_label_says_where_it_comes_from(people):
    with people.world.db.read() as session:
        task = queue.task(session, people.world.job().id, people.sample())
    assert task.revision == 0
    label_sample(people.world.db, KEY, task.sample_id, BOX, "cid", people.now)
    assert story(people, task.sample_id).labels[0].source is LabelSource.PERSON
