"""What rounds leave on the service's disk does not grow for ever, and nothing goes that is still needed."""

import shutil

import pytest

from fixtures_gm import KEY, MemoryRuntime, job_spec
from globalmanager.engine.apply import delete_job
from globalmanager.engine.results import load_evaluation
from sedna.store.models import load_manifest


@pytest.fixture
def few(world):
    world.settings = world.settings.model_copy(update={"work_rounds_kept": 3})
    world.apply()
    world.tick()
    return world


def rounds(world, number, *, until=None):
    for _ in range(number):
        last = world.job().state.next_round
        world.samples(8)
        world.until(until or (lambda job, last=last: job.state.current is None and job.state.next_round > last))


def folders(world):
    (work,) = (world.settings.work_dir / KEY.namespace).iterdir()
    return {path.name: path for path in work.iterdir()}


def cached(world):
    return {path.name for path in (world.settings.cache_dir / "models" / str(world.job().id)).iterdir()}


def test_old_rounds_go_and_new_ones_keep_what_explains_them(few):
    rounds(few, 6)
    assert folders(few).keys() == {"4", "5", "6"}
    newest = folders(few)["6"]
    assert {path.name for path in newest.iterdir()} == {"training-1", "evaluating-1"}
    assert {path.name for path in (newest / "training-1").iterdir()} == {"train.txt", "report.json", "algorithm.json"}
    assert (newest / "evaluating-1" / "report.json").is_file()
    assert cached(few) == {"6", "7"}
    for version in range(1, 8):
        assert load_manifest(few.store, KEY, version).version == version
    assert load_evaluation(few, few.round(1).evaluation_key).judged


def test_a_round_under_way_keeps_its_checkpoints_whatever_is_killed(few):
    rounds(few, 1)
    few.runtime.held = True
    few.samples(8)
    few.until(lambda job: len(few.runtime.specs) == 3)
    checkpoint = folders(few)["2"] / "checkpoints-2" / "step-7"
    checkpoint.write_text("weights")
    few.crash()
    few.tick(3)
    assert checkpoint.read_text() == "weights"
    assert (folders(few)["2"] / "training-1" / "model").is_dir()
    few.runtime.held = False
    few.runtime.let_go()
    few.until(lambda job: job.state.champion == 3)
    few.tick()
    assert not checkpoint.parent.exists()


def test_a_worker_that_is_slow_to_stop_leaves_nothing_in_the_end(few):
    class Slow(MemoryRuntime):
        def stop(self, handle, grace_seconds):
            if not self.held:
                super().stop(handle, grace_seconds)

    few.runtime = Slow(few.trainer)
    few.runtime.held = True
    few.crash()
    few.samples(8)
    few.until(lambda job: job.state.current is not None)
    few.tick()
    few.clock.advance(few.job().spec.train_spec.limits.timeout_seconds + 1)
    few.until(lambda job: job.state.current is None)
    few.tick(2)
    left = folders(few)["1"]
    assert list(left.glob("checkpoints-*")), "its worker may still write"
    few.runtime.held = False
    few.tick(3)
    assert not list(left.glob("checkpoints-*"))
    assert not (left / "training-1" / "model").exists()


def test_a_roll_back_to_a_model_that_is_no_longer_cached_fetches_it(few):
    rounds(few, 4)
    shutil.rmtree(few.settings.cache_dir / "models")
    rounds(few, 1)
    assert few.job().state.champion == 6
    assert cached(few) == {"5", "6"}


def test_a_deleted_job_keeps_no_models_for_workers_and_comes_back_with_its_history(few):
    rounds(few, 2)
    delete_job(few.db, KEY, few.clock.now())
    few.tick(2)
    assert cached(few) == set()
    few.apply(job_spec())
    rounds(few, 1)
    assert few.job().state.champion == 4
