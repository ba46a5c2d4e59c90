"""Labels that look wrong come to the review, and only those."""

import pytest

from fixtures_gm import KEY
from globalmanager.db import judged_labels, predictions, samples
from globalmanager.db.judged_labels import JudgedLabel
from globalmanager.db.label_values import PredictionSource, ReviewReason, StoredPrediction
from globalmanager.labelling import label_errors, label_sample
from globalmanager.labelling.label_errors import LEAST_BOXES, MOST, suspects_of
from globalmanager.labelling.reviewing import Decision, decide_review, list_reviews
from sedna.common.types import Annotation, Box, Picked, Prediction

CLASSES = ("good", "bad")


def judged(number, annotation, prediction, **more):
    facts = {"sample_pk": number, "label_seq": number, "sample_id": f"{number:064x}", "width": 640, "height": 480}
    return JudgedLabel(**facts, is_holdout=False, annotation=annotation, prediction=prediction, version=3, **more)


def box(x=100, y=100, label=0, score=None):
    return Box(x1=x, y1=y, x2=x + 60, y2=y + 40, label=label, score=score)


def right(number, score=0.8):
    return judged(number, Annotation(boxes=(box(x=number),)), Prediction(boxes=(box(x=number, score=score),)))


@pytest.mark.parametrize(
    ("annotation", "prediction", "why"),
    [
        (Annotation(), Prediction(boxes=(box(score=0.9),)), "sees something where no box is"),
        (Annotation(boxes=(box(label=1),)), Prediction(boxes=(box(score=0.9),)), "sees another class"),
        (Annotation(boxes=(box(),)), Prediction(boxes=(box(x=148, y=130, score=0.9),)), "beside its box"),
    ],
)
def test_a_wrong_box_is_found_and_said_why(annotation, prediction, why):
    labels = [*(right(number) for number in range(1, 60)), judged(99, annotation, prediction)]
    [found] = suspects_of(labels, CLASSES)
    assert found.label.sample_pk == 99
    assert why in found.sentence
    assert found.sentence.startswith("model 3 ")


def test_a_detector_is_believed_from_the_score_on_from_which_it_is_right():
    # Below .6 it is wrong half of the time: what it sees there says nothing against a label.
    doubtful = [judged(100 + n, Annotation(), Prediction(boxes=(box(score=0.5),))) for n in range(10)]
    surely = [right(number) for number in range(1, 60)]
    assert suspects_of([*surely, *doubtful], CLASSES) == []
    few = [right(number) for number in range(1, LEAST_BOXES - 1)]
    missed = judged(99, Annotation(), Prediction(boxes=(box(score=0.9),)))
    assert suspects_of([*few, missed], CLASSES) == [], "of so few boxes nobody can tell"


def test_a_wrong_class_is_found_among_models_with_other_classes():
    def seen(number, label, *probabilities):
        return judged(number, Annotation(label=label), Prediction(probabilities=probabilities))

    labels = [seen(n, n % 2, *((0.9, 0.1) if n % 2 == 0 else (0.1, 0.9))) for n in range(20)]
    labels += [seen(50, 0, 0.05, 0.95), seen(60, 2, 0.2, 0.3, 0.5), seen(61, 5, 0.9, 0.1)]
    [found] = suspects_of(labels, CLASSES)
    assert found.label.sample_pk == 50
    assert found.sentence == "model 3 sees 'bad' (0.95), the label says 'good' (0.05)"


def test_the_list_is_short_and_the_worst_come_first():
    swapped, surely = Annotation(boxes=(box(label=1),)), Prediction(boxes=(box(score=0.9),))
    wrong = [judged(1000 + number, swapped, surely) for number in range(30)]
    found = suspects_of([*(right(number, 0.95) for number in range(1, 600)), *wrong], CLASSES)
    assert len(found) == MOST
    assert [one.score for one in found] == sorted(one.score for one in found)
    frozen = [one.model_copy(update={"is_holdout": True, "sample_pk": 2000 + one.sample_pk}) for one in wrong]
    both = suspects_of([*(right(number, 0.95) for number in range(1, 1200)), *frozen, *wrong], CLASSES)
    assert [one.label.is_holdout for one in both].count(False) == MOST, "no hold-out takes the place of others"


def crowd(number, boxes, label=1):
    """A picture of which each box has the wrong class."""
    drawn = tuple(box(x=place, label=label) for place in range(boxes))
    seen = tuple(box(x=place, score=0.9) for place in range(boxes))
    return judged(number, Annotation(boxes=drawn), Prediction(boxes=seen))


def test_a_crowded_picture_is_left_out(monkeypatch):
    known = [right(number, 0.95) for number in range(1, 200)]
    assert [one.label.sample_pk for one in suspects_of([*known, crowd(900, 3)], CLASSES)] == [900]
    monkeypatch.setattr(label_errors, "COMPARED_BOXES", 2)
    assert suspects_of([*known, crowd(900, 3)], CLASSES) == []
    assert [one.label.sample_pk for one in suspects_of([*known, crowd(901, 2)], CLASSES)] == [901]


def test_no_more_boxes_are_compared_than_the_engine_can_wait_for(monkeypatch):
    known = [right(number, 0.95) for number in range(1, 200)]
    labels = [*known, crowd(900, 3), crowd(901, 3)]
    assert len(suspects_of(labels, CLASSES)) == 2
    monkeypatch.setattr(label_errors, "MOST_COMPARED", 199 + 9)
    assert [one.label.sample_pk for one in suspects_of(labels, CLASSES)] == [900], "the newest are looked at"
    compared = []
    quality = label_errors.box_label_quality
    monkeypatch.setattr(
        label_errors, "box_label_quality",
        lambda mine, theirs, **more: compared.append(len(mine) * len(theirs)) or quality(mine, theirs, **more),
    )  # fmt: skip
    suspects_of(labels, CLASSES)
    assert sum(compared) == 199 + 9


TRUE = Box(x1=1, y1=1, x2=6, y2=6, label=0)
SURE = Prediction(boxes=(TRUE.model_copy(update={"score": 0.9}),))


@pytest.fixture
def labelled(world):
    """A job whose model was right about all samples but two; one of these is frozen hold-out."""
    world.apply()
    world.right = [world.sample(label=Annotation(boxes=(TRUE,)), prediction=SURE) for _ in range(58)]
    swapped = Annotation(boxes=(TRUE.model_copy(update={"label": 1}),))
    world.wrong, world.held = world.sample(label=swapped, prediction=SURE), world.sample(label=None, prediction=SURE)
    with world.db.write() as session:
        samples.hold_out(session, world.job().id, world.held)
    label_sample(world.db, KEY, world.held, swapped, "ann", world.clock.now())
    return world


def reviews_of(world):
    return list_reviews(world.db, KEY, ReviewReason.LABEL_ERROR, limit=50, cursor=None).items


def test_an_evaluation_hands_suspects_to_people_once(labelled):
    assert reviews_of(labelled) == ()
    labelled.until(lambda job: len(job.state.history) == 1)
    [item] = reviews_of(labelled)
    assert (item.sample_id, item.reasons) == (labelled.wrong, (ReviewReason.LABEL_ERROR,))
    assert "surely sees another class in the place of a box" in item.sentence
    assert item.label is not None, "its label counts until somebody has decided"
    [event] = labelled.events("LabelErrorsFound")
    assert event.data == {"review": [labelled.wrong], "holdout": [labelled.held]}
    assert event.level == "warning"
    # Whoever has decided is not asked again, whatever the model goes on saying.
    decision = Decision(annotation=item.label.annotation, base_revision=item.revision)
    decide_review(labelled.db, KEY, labelled.wrong, "ben", decision, labelled.clock.now())
    for _ in range(8):
        labelled.sample(label=Annotation(boxes=(TRUE,)), prediction=SURE)
    labelled.until(lambda job: len(job.state.history) == 2)
    assert reviews_of(labelled) == ()


def test_only_models_that_have_not_seen_a_label_judge_it(world):
    world.apply()
    imported = world.sample(picked=Picked.IMPORT, prediction=SURE)
    unknown = world.sample(version=0, prediction=SURE)
    first, second = world.sample(prediction=SURE), world.sample(prediction=SURE)
    other = Prediction(boxes=(TRUE.model_copy(update={"score": 0.3}),))
    with world.db.write() as session:
        for name in (first, second):
            said = StoredPrediction(source=PredictionSource.MODEL, version=7, prediction=other)
            predictions.store(session, world.job().id, name, said, world.clock.now())
    with world.db.read() as session:
        parts = {name: samples.get(session, world.job().id, name).part for name in (first, second)}
        found = {one.sample_id: one for one in judged_labels.newest(session, world.job().id, 100)}
        assert len(judged_labels.newest(session, world.job().id, 1)) == 1
    assert set(found) == {first, second}, (imported, unknown)
    assert sorted(parts.values()) == ["eval", "train"], "a later model may have trained on one of them"
    for name, part in parts.items():
        assert found[name].version == (7 if part == "eval" else 1)
