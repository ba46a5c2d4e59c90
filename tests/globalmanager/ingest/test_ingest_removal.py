"""Samples that were taken out: what still holds them says so, and nothing new does."""

import pytest

from fixtures_gm import BOX, KEY, png, record_of
from globalmanager.db import datasets, exclusions, pool, queue, samples
from globalmanager.db.values import SampleFilter
from globalmanager.ingest import accept_sample
from globalmanager.ingest.removal import exclude_sample, include_sample
from globalmanager.labelling import label_sample, labelling_queue
from globalmanager.labelling.queue import Order
from sedna.common.errors import ConflictError, NotFoundError
from sedna.common.types import Prediction, sample_id
from sedna.store.layout import sample_key, sample_record_key


@pytest.fixture
def board(world):
    world.apply()
    world.ids = world.samples(2)
    return world


def take_out(world, name, reason="a thumb", *, delete=False):
    now = world.clock.now()
    return exclude_sample(world.db, world.store, KEY, name, reason=reason, author="ann", now=now, delete=delete)


def take_in(world, name):
    return include_sample(world.db, KEY, name, "bea", world.clock.now())


def version_of(world, round_id=1):
    """A dataset version of everything that is labelled now."""
    with world.db.write() as session:
        return datasets.create(session, world.job().id, round_id, 0, world.clock.now()).version


def members(world, version):
    with world.db.read() as session:
        seq = datasets.get(session, world.job().id, version).label_seq
        return {member.sample_id for member in datasets.members(session, world.job().id, seq)}


def row(world, name):
    with world.db.read() as session:
        return samples.get(session, world.job().id, name)


def counts(world):
    return world.job().totals


def test_versions_keep_what_they_held_and_later_ones_are_without_it(board):
    a, b = board.ids
    first = version_of(board)
    before = counts(board)
    out = take_out(board, a)
    assert (out.sample.excluded, out.dataset_versions) == (True, (first,))
    second = version_of(board)
    assert members(board, first) == {a, b}
    assert members(board, second) == {b}
    with board.db.read() as session:
        old, new = (datasets.detail(session, board.job().id, version) for version in (first, second))
    assert (old.removed, new.removed) == (1, 0)
    [gone] = old.removed_samples
    assert (gone.sample_id, gone.reason, gone.author, gone.deleted) == (a, "a thumb", "ann", False)
    assert (before.samples, before.labelled) == (2, 2)
    assert (counts(board).samples, counts(board).labelled) == (1, 1)
    assert new.train + new.eval == 1
    assert board.unused() == 1
    [event] = board.events("SampleExcluded")
    assert event.message == f"ann excluded sample {a}: a thumb"


def test_taken_in_again_it_is_as_before_and_the_story_knows(board):
    a, b = board.ids
    before = counts(board)
    take_out(board, a)
    without = version_of(board)
    back = take_in(board, a)
    assert counts(board) == before
    after = version_of(board)
    assert (members(board, without), members(board, after)) == ({b}, {a, b})
    assert back.exclusions[0].ended
    with board.db.read() as session:
        assert samples.story(session, board.job().id, a).dataset_versions == (after,)
        assert datasets.get(session, board.job().id, after).removed == 0
    assert take_in(board, a) == back.model_copy(update={"dataset_versions": (after,)}), "twice is once"


def test_twice_is_once_and_deleting_what_was_excluded_says_more(board):
    a = board.ids[0]
    first = version_of(board)
    take_out(board, a)
    once = counts(board)
    take_out(board, a, "another reason")
    assert counts(board) == once
    story = take_out(board, a, "a face", delete=True)
    assert [(e.reason, e.deleted, e.ended) for e in story.exclusions] == [
        ("a thumb", False, True),
        ("a face", True, False),
    ]
    assert counts(board) == once
    with board.db.read() as session:
        assert datasets.detail(session, board.job().id, first).removed_samples == (story.exclusions[1],)
    assert take_out(board, a, "not again").exclusions == story.exclusions


def test_deleted_bytes_are_gone_and_do_not_come_back_by_themselves(board):
    a = board.ids[0]
    take_out(board, a, "a face", delete=True)
    assert board.store.stat(sample_key(KEY, a, "png")) is None
    assert board.store.stat(sample_record_key(KEY, a)) is None
    image = png(1)
    assert sample_id(image) == a
    with pytest.raises(ConflictError, match=r"ann has deleted it on 2026-01-01: a face .'sedna sample include'"):
        accept_sample(board.db, board.store, record_of(image), image, board.clock.now())
    assert take_in(board, a).sample.problem == "its picture was deleted from the store"


def test_nothing_new_looks_at_it(board):
    name = board.sample(label=None)
    labelled = board.ids[0]
    take_out(board, name)
    take_out(board, labelled)
    spread = board.sample(prediction=Prediction(probabilities=(0.25, 0.75)))
    with board.db.read() as session:
        job = board.job().id
        assert pool.newest(session, job, 10) == []
        assert queue.labelled_probabilities(session, job, 10) == [(0.25, 0.75)]
    take_out(board, spread)
    with board.db.read() as session:
        assert queue.labelled_probabilities(session, job, 10) == []
        listed = {one.record.sample_id for one in samples.list_page(session, job).items}
        out = {one.record.sample_id for one in samples.list_page(session, job, SampleFilter(excluded=True)).items}
        assert samples.counts(session, job).unlabelled == 0
    assert listed == {board.ids[1]}
    assert out == {name, labelled, spread}
    assert labelling_queue(board.db, KEY, Order.OLDEST, 10) == ()
    with pytest.raises(ConflictError, match=r"was excluded .'sedna sample include' takes it in again"):
        label_sample(board.db, KEY, name, BOX, "ann", board.clock.now())
    assert not accept_sample(board.db, board.store, record_of(png(3)), png(3), board.clock.now())
    assert row(board, name).excluded, "an edge that sends it again changes nothing"


def test_a_round_takes_no_excluded_sample(board):
    board.samples(8)
    out = board.ids[0]
    take_out(board, out)
    board.until(lambda job: job.state.history != ())
    assert out not in members(board, board.round(1).dataset_version)
    assert row(board, out).round_used is None


def test_an_unknown_sample_is_said(board):
    for call in (take_out, take_in):
        with pytest.raises(NotFoundError, match="no such sample"):
            call(board, "0" * 64)


def test_a_store_that_did_not_answer_deletes_when_asked_again(board):
    a = board.ids[0]
    with board.db.write() as session:
        exclusions.exclude(session, board.job().id, a, reason="x", author="ann", now=board.clock.now(), deleted=True)
    assert board.store.stat(sample_key(KEY, a, "png")) is not None
    take_out(board, a, "x", delete=True)
    assert board.store.stat(sample_key(KEY, a, "png")) is None
