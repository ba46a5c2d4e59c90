"""Samples from edges. A repeated upload is answered without the decoder: the tests use bytes that it would refuse."""

import pytest

from fixtures_gm import KEY, png, record_of
from globalmanager.auth.principal import Principal
from globalmanager.db import jobs, sample_problems, samples
from globalmanager.ingest import accept_sample, receive_sample
from globalmanager.ingest.intake import Stored
from sedna.common.errors import AuthError, DataError, NotFoundError
from sedna.common.types import JobKey, sample_id
from sedna.store.layout import sample_key, sample_record_key

EDGE = Principal(name="edge-1", role="edge", edge="edge-1")
DAMAGED = png(1)[:45]


@pytest.fixture
def board(world):
    """A job that has one sample, of bytes that no decoder reads."""
    world.apply()
    assert accept_sample(world.db, world.store, record_of(DAMAGED), DAMAGED, world.clock.now())
    return world


def receive(world, image, caller=EDGE, **changes):
    return receive_sample(world.db, world.store, caller, record_of(image, **changes), image, world.clock.now())


def test_a_new_sample_is_decoded_and_stored(board):
    assert receive(board, png(2)) is Stored.CREATED
    assert receive(board, png(2)) is Stored.KNOWN
    with pytest.raises(DataError, match="damaged"):
        receive(board, png(2)[:45])


def test_a_repeated_upload_is_answered_without_decoding(board):
    assert receive(board, DAMAGED) is Stored.KNOWN


def test_a_repeated_upload_under_another_record_is_answered_as_the_first_record_stands(board):
    assert receive(board, DAMAGED, extension="bmp", version=7) is Stored.KNOWN


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"width": 33}, DataError, "33 x 8 pixels, the image has 8 x 8"),
        ({"size": 5}, DataError, "its record says 5 bytes"),
        ({"edge": "edge-2"}, AuthError, "belongs to edge 'edge-1'"),
        ({"job": JobKey(name="other")}, NotFoundError, "no such job"),
    ],
)
def test_a_repeated_upload_is_checked_all_the_same(board, changes, error, words):
    with pytest.raises(error, match=words):
        receive(board, DAMAGED, **changes)


def test_other_bytes_under_a_known_id_are_refused(board):
    with pytest.raises(DataError, match="sha256"):
        receive_sample(board.db, board.store, EDGE, record_of(DAMAGED, size=7), b"another", board.clock.now())


def test_a_deleted_job_takes_no_repeated_upload(board):
    with board.db.write() as session:
        jobs.mark_deleted(session, jobs.get(session, KEY).id, board.clock.now())
    with pytest.raises(NotFoundError, match="no such job"):
        receive(board, DAMAGED)


@pytest.mark.parametrize(
    "spoilt", [None, b"garbage", b"x" * len(png(3)), b""], ids=["lost", "other", "as long", "empty"]
)
def test_a_repeated_upload_repairs_what_the_store_has(board, spoilt):
    receive(board, png(3))
    name = sample_id(png(3))
    key, record = sample_key(KEY, name, "png"), sample_record_key(KEY, name)
    told = board.store.get(record)
    if spoilt is None:
        board.store.delete(key)
    else:
        board.store.put(key, spoilt)
        board.store.put(record, spoilt)
    with board.db.write() as session:
        sample_problems.note(session, board.job().id, {name: "it is gone"}, board.clock.now())
    assert receive(board, png(3), version=9) is Stored.REPAIRED
    assert board.store.get(key) == png(3)
    assert board.store.get(record) == told, "with the record that the job has"
    with board.db.read() as session:
        assert samples.get(session, board.job().id, name).problem is None
    assert [event.data["sample"] for event in board.events("SampleRepaired")] == [name]
    assert receive(board, png(3)) is Stored.KNOWN


def test_a_problem_that_is_over_ends_with_the_upload_also_where_nothing_had_to_be_written(board):
    receive(board, png(3))
    with board.db.write() as session:
        sample_problems.note(session, board.job().id, {sample_id(png(3)): "it was gone"}, board.clock.now())
    assert receive(board, png(3)) is Stored.REPAIRED
    assert receive(board, png(3)) is Stored.KNOWN
