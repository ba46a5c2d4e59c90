"""What a person is asked to label next."""

import math

import pytest

from fixtures_gm import BOX, KEY
from globalmanager.db.queue import labelled_probabilities
from globalmanager.labelling import Order, labelling_queue
from sedna.algorithms.active_learning import SCORES
from sedna.common.errors import NotFoundError
from sedna.common.types import Box, JobKey, Prediction


def whole(*probabilities):
    return Prediction(probabilities=probabilities, label=probabilities.index(max(probabilities)))


def boxes(*scores, label=0):
    return Prediction(boxes=tuple(Box(x1=1, y1=1, x2=5, y2=5, label=label, score=score) for score in scores))


@pytest.fixture
def waiting(world):
    """Samples by a name for what the edge thought of them."""
    world.apply()
    world.sample(prediction=whole(0.34, 0.33, 0.33), label=BOX)  # labelled: not in the queue, whatever its score
    thought = {
        "sure": whole(0.98, 0.01, 0.01),
        "nothing": Prediction(),
        "torn": whole(0.5, 0.5, 0.0),
        "lost": whole(0.4, 0.3, 0.3),
    }
    return {world.sample(prediction=said, label=None): name for name, said in thought.items()}


def names(waiting, found):
    return [waiting[sample.sample_id] for sample in found]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.OLDEST, ["sure", "nothing", "torn", "lost"]),
        (Order.LEAST_CONFIDENCE, ["lost", "torn", "sure", "nothing"]),
        (Order.MARGIN, ["torn", "lost", "sure", "nothing"]),
        (Order.ENTROPY, ["lost", "torn", "sure", "nothing"]),
        (Order.K_CENTER, ["sure", "torn", "lost", "nothing"]),  # the labelled one lies nearest to "lost"
    ],
)
def test_orders(world, waiting, order, expected):
    found = labelling_queue(world.db, KEY, order, 10)
    assert names(waiting, found) == expected
    assert names(waiting, labelling_queue(world.db, KEY, order, 2)) == expected[:2]


def test_scores_are_told(world, waiting):
    found = {waiting[row.sample_id]: row for row in labelling_queue(world.db, KEY, Order.ENTROPY, 10)}
    assert found["torn"].score == pytest.approx(math.log(2))
    assert (found["torn"].predicted, found["nothing"].predicted, found["nothing"].score) == (0, -1, None)
    assert {row.score for row in labelling_queue(world.db, KEY, Order.K_CENTER, 10)} == {None}


def test_an_image_is_worth_as_much_as_its_most_uncertain_box(world):
    world.apply()
    thought = {"sure": boxes(0.95, 0.99), "unsure": boxes(0.99, 0.55), "empty": Prediction(), "half": boxes(0.8)}
    waiting = {world.sample(prediction=said, label=None): name for name, said in thought.items()}
    for order in SCORES:
        assert names(waiting, labelling_queue(world.db, KEY, Order(order), 10)) == ["unsure", "half", "sure", "empty"]


def test_balanced_gives_rare_classes_their_share(world):
    world.apply()
    thought = [whole(0.50 + 0.01 * step, 0.30, 0.20 - 0.01 * step) for step in range(6)]
    thought += [whole(0.05, 0.05, 0.9), whole(0.02, 0.02, 0.96)]
    ids = [world.sample(prediction=said, label=None) for said in thought]
    plain = [row.sample_id for row in labelling_queue(world.db, KEY, Order.LEAST_CONFIDENCE, 4)]
    assert plain == ids[:4]
    shared = labelling_queue(world.db, KEY, Order.LEAST_CONFIDENCE, 4, balanced=True)
    assert [row.sample_id for row in shared] == [ids[0], ids[1], ids[6], ids[7]]
    assert [row.predicted for row in shared] == [0, 0, 2, 2]
    everything = labelling_queue(world.db, KEY, Order.K_CENTER, 20, balanced=True)
    assert sorted(row.sample_id for row in everything) == sorted(ids)


def test_a_record_that_makes_no_sense_stops_nobody(world):
    world.apply()
    odd = world.sample(prediction=Prediction(probabilities=(3.0, 4.0)), label=None)
    single = world.sample(prediction=Prediction(probabilities=(1.0,)), label=None)
    good = world.sample(prediction=whole(0.6, 0.3, 0.1), label=None)
    for order in Order:
        found = [row.sample_id for row in labelling_queue(world.db, KEY, order, 10)]
        assert sorted(found) == sorted([odd, single, good])
    assert labelling_queue(world.db, KEY, Order.MARGIN, 1)[0].sample_id == good


def test_an_empty_queue_and_a_job_that_is_not_there(world):
    world.apply()
    for order in Order:
        assert labelling_queue(world.db, KEY, order, 5, balanced=True) == ()
    with pytest.raises(NotFoundError):
        labelling_queue(world.db, JobKey(name="other"), Order.ENTROPY, 5)


def test_what_was_labelled_last_is_kept_away_from(world):
    world.apply()
    for share in (0.5, 0.25, 0.125):
        world.sample(prediction=whole(1 - share, share), label=BOX)
    world.sample(prediction=whole(0.75, 0.25), label=None)
    with world.db.read() as session:
        assert labelled_probabilities(session, world.job().id, 2) == [(0.875, 0.125), (0.75, 0.25)]
