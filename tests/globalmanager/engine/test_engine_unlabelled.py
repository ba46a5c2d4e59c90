"""Samples without a label reach a training that asks for them."""

from pathlib import Path

from fixtures_gm import job_spec
from globalmanager.db import pool, samples
from sedna.loop.state import Outcome


def unlabelled_of(spec):
    lines = Path(spec.env["UNLABELLED_DATASET_URL"]).read_text().splitlines()
    assert all(Path(line).is_file() for line in lines)
    return [Path(line).stem for line in lines]


def test_training_is_given_the_newest_samples_without_a_label(world):
    world.apply(job_spec(unlabelledSamples=3))
    waiting = world.samples(5, label=None)
    held = world.sample(label=None)
    with world.db.write() as session:
        assert samples.hold_out(session, world.job().id, held)
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    training, evaluation = world.trainer.runs
    assert unlabelled_of(training) == waiting[-3:]
    labelled = {Path(line.split()[0]).stem for line in Path(training.env["TRAIN_DATASET_URL"]).read_text().splitlines()}
    assert not labelled & set(waiting)
    assert "UNLABELLED_DATASET_URL" not in evaluation.env


def test_nothing_is_fetched_for_a_job_that_does_not_ask(world):
    world.apply()
    world.samples(2, label=None)
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert all("UNLABELLED_DATASET_URL" not in spec.env for spec in world.trainer.runs)


def test_no_sample_without_a_label_is_an_empty_list(world):
    world.apply(job_spec(unlabelledSamples=3))
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert unlabelled_of(world.trainer.runs[0]) == []


def test_a_second_attempt_sees_the_samples_of_the_first(world):
    """Its checkpoints belong to them, whatever arrived or was labelled since; the next round sees the news."""
    world.apply(job_spec(unlabelledSamples=4, limits={"retrySeconds": 1}))
    world.trainer.exit_codes = [75]
    waiting = world.samples(2, label=None)
    world.samples(8)
    world.until(lambda job: len(world.trainer.runs) == 1)
    late = world.sample(label=None)
    world.until(lambda job: len(world.trainer.runs) >= 2)
    first, second = world.trainer.runs[:2]
    assert first.name != second.name
    assert unlabelled_of(second) == unlabelled_of(first) == waiting
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    world.samples(8)
    world.until(lambda job: job.state.next_round == 3 and job.state.current is None)
    assert unlabelled_of([spec for spec in world.trainer.runs if spec.kind == "train"][-1]) == [*waiting, late]


def test_a_sample_that_the_store_has_lost_is_left_out_and_named(world):
    world.apply(job_spec(unlabelledSamples=4, limits={"retries": 0}))
    lost = world.sample(label=None)
    for info in list(world.store.list()):
        if lost in info.key:
            world.store.delete(info.key)
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome is Outcome.DEPLOYED
    [event] = world.events("SampleProblem")
    assert list(event.data["samples"]) == [lost]
    with world.db.read() as session:
        assert pool.newest(session, world.job().id, 10) == [], "nobody could look at it"


def test_the_pool_is_bounded_and_in_order_of_arrival(world):
    world.apply()
    world.samples(3)
    without = world.samples(3, label=None)
    with world.db.read() as session:
        found = pool.newest(session, world.job().id, 2)
    assert [sample.sample_id for sample in found] == without[-2:]
    assert {sample.extension for sample in found} == {"png"}
