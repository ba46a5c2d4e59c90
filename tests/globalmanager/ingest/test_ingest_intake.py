"""Samples from edges. A repeated upload is answered without the decoder: the tests use bytes that it would refuse."""

import pytest

from fixtures_gm import KEY, png, record_of
from globalmanager.auth.principal import Principal
from globalmanager.db import jobs
from globalmanager.ingest import accept_sample, receive_sample
from sedna.common.errors import AuthError, DataError, NotFoundError
from sedna.common.types import JobKey

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
    assert receive(board, png(2))
    assert not receive(board, png(2))
    with pytest.raises(DataError, match="damaged"):
        receive(board, png(2)[:45])


def test_a_repeated_upload_is_answered_without_decoding(board):
    assert not receive(board, DAMAGED)


def test_a_repeated_upload_under_another_record_is_answered_as_the_first_record_stands(board):
    assert not receive(board, DAMAGED, extension="bmp", version=7)


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
