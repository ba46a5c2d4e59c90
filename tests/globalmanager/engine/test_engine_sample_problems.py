"""A stored sample that is missing or garbage costs that sample, and not the job."""

import pytest

from fixtures_gm import KEY, png, record_of
from globalmanager.auth.principal import Principal
from globalmanager.db import samples
from globalmanager.ingest import receive_sample
from globalmanager.ingest.intake import Stored
from globalmanager.ingest.removal import exclude_sample
from sedna.loop.state import Outcome
from sedna.store.layout import sample_key

EDGE = Principal(name="edge-1", role="edge", edge="edge-1")


def sample(world, name):
    with world.db.read() as session:
        return samples.get(session, world.job().id, name)


def lines(world, kind="train"):
    """How many samples the last worker of a kind has read."""
    from pathlib import Path

    [*_, run] = [run for run in world.trainer.runs if run.kind == kind]
    variable = "TRAIN_DATASET_URL" if kind == "train" else "TEST_DATASET_URL"
    return len(Path(run.env[variable]).read_text().splitlines())


@pytest.fixture
def world(world):
    world.apply()
    world.ids = world.samples(8)
    world.train = [name for name in world.ids if sample(world, name).part == "train"]
    world.eval = [name for name in world.ids if sample(world, name).part == "eval"]
    return world


@pytest.mark.parametrize("bytes_", [None, b"garbage"], ids=["missing", "garbage"])
def test_a_round_goes_on_without_it_and_says_so_once(world, bytes_):
    gone, judge = world.train[0], world.eval[0]
    for name in (gone, judge):
        if bytes_ is None:
            world.store.delete(sample_key(KEY, name, "png"))
        else:
            world.store.put(sample_key(KEY, name, "png"), bytes_)
    job = world.until(lambda job: job.state.history != ())
    assert job.degraded is None
    assert world.round(1).outcome is Outcome.DEPLOYED
    assert (lines(world), lines(world, "eval")) == (len(world.train) - 1, len(world.eval) - 1)
    first, second = world.events("SampleProblem")
    assert (first.level, list(first.data["samples"]), list(second.data["samples"])) == ("warning", [gone], [judge])
    expected = "there is no such object" if bytes_ is None else "the store's bytes are not those that are recorded"
    assert expected in sample(world, gone).problem

    world.samples(8)
    world.until(lambda job: len(job.state.history) == 2)
    assert len(world.events("SampleProblem")) == 2, "known is no news"

    image = png(world.ids.index(gone) + 1)
    stored = receive_sample(world.db, world.store, EDGE, record_of(image), image, world.clock.now())
    assert stored is Stored.REPAIRED
    assert sample(world, gone).problem is None
    world.samples(8)
    world.until(lambda job: len(job.state.history) == 3)
    assert lines(world) == sum(sample(world, name).part == "train" for name in names_of(world))


def names_of(world):
    with world.db.read() as session:
        return [row.record.sample_id for row in samples.list_page(session, world.job().id, limit=100).items]


def test_what_somebody_has_brought_back_by_hand_is_whole_after_the_next_training(world):
    gone = world.train[0]
    key = sample_key(KEY, gone, "png")
    image = world.store.get(key)
    world.store.delete(key)
    world.until(lambda job: job.state.history != ())
    assert sample(world, gone).problem
    world.store.put(key, image)
    world.samples(8)
    world.until(lambda job: len(job.state.history) == 2)
    assert sample(world, gone).problem is None


def test_where_most_are_missing_it_is_the_store(world):
    for name in world.train:
        world.store.delete(sample_key(KEY, name, "png"))
    world.until(lambda job: job.state.history != ())
    row = world.round(1)
    assert row.outcome is Outcome.FAILED
    assert (
        f"{len(world.train)} of {len(world.train)} samples are missing from the store or damaged" in row.outcome_reason
    )
    [event] = world.events("SampleProblem")
    assert event.data["count"] == len(world.train)


def test_what_was_deleted_on_purpose_during_a_round_is_no_problem(world):
    world.runtime.held = True
    world.until(lambda job: job.state.current is not None and world.runtime.specs)
    gone = world.train[0]
    exclude_sample(
        world.db, world.store, KEY, gone, reason="a face", author="ann", now=world.clock.now(), delete=True
    )  # fmt: skip
    world.runtime.held = False
    world.runtime.let_go()
    world.until(lambda job: job.state.history != ())
    assert world.round(1).outcome is Outcome.DEPLOYED
    assert lines(world) == len(world.train) - 1
    assert world.events("SampleProblem") == []
    assert sample(world, gone).problem is None
