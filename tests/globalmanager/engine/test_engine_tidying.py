"""What rounds leave, in the store and on machines, does not grow for ever, and nothing goes that is still needed."""

import pytest

from fixtures_gm import KEY, MemoryRuntime, job_spec
from globalmanager.engine.apply import delete_job
from globalmanager.engine.work.results import load_evaluation
from sedna.common.errors import StoreUnavailableError
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


def left(world, number):
    """What is in the store of a round, less the prefix."""
    prefix = f"{KEY.namespace}/{KEY.name}/rounds/{number}/"
    return {info.key.removeprefix(prefix) for info in world.store.list(prefix)}


def test_old_rounds_go_and_new_ones_keep_what_explains_them(few):
    few.runtime.logs = _Everything("so far so good")
    rounds(few, 6)
    kept = {"train-1/order.json", "train-1/result.json", "logs/train-1-0.txt"}
    kept |= {"eval-1/order.json", "eval-1/result.json", "logs/eval-1-0.txt", "evaluation-1.json"}
    for number in (4, 5, 6):
        assert left(few, number) == kept
    for number in (1, 2, 3):
        assert left(few, number) == {"evaluation-1.json"}
    for version in range(1, 8):
        assert load_manifest(few.store, KEY, version).version == version
    assert load_evaluation(few, few.round(1).evaluation_key).judged
    assert set(few.runtime.forgotten) == set(few.runtime.specs), "no machine keeps anything"


class _Everything(dict):
    """The same log, whoever is asked for."""

    def __init__(self, text):
        super().__init__()
        self.text = text

    def get(self, _name, _default=""):
        return self.text


def test_a_round_under_way_keeps_its_checkpoints_whatever_is_killed(few):
    rounds(few, 1)
    few.runtime.held = True
    few.samples(8)
    few.until(lambda job: len(few.runtime.specs) == 3)
    order = list(few.runtime.specs.values())[-1].order
    few.store.put(f"{order.checkpoints}manifest.json", b"[]")
    few.crash()
    few.tick(3)
    assert {"checkpoints-2/manifest.json", "train-1/order.json"} <= left(few, 2)
    assert order.worker not in few.runtime.forgotten
    few.runtime.held = False
    few.runtime.let_go()
    few.until(lambda job: job.state.champion == 3)
    few.tick()
    assert "checkpoints-2/manifest.json" not in left(few, 2)


def test_a_worker_that_is_slow_to_stop_leaves_nothing_in_the_end(few):
    class Slow(MemoryRuntime):
        def stop(self, handle, grace_seconds):
            if not self.held:
                super().stop(handle, grace_seconds)

    few.runtime = few.twins(few.trainer, Slow)
    few.runtime.held = True
    few.crash()
    few.samples(8)
    few.until(lambda job: job.state.current is not None)
    few.tick()
    order = next(iter(few.runtime.specs.values())).order
    few.store.put(f"{order.checkpoints}manifest.json", b"[]")
    few.clock.advance(few.job().spec.train_spec.limits.timeout_seconds + 1)
    few.until(lambda job: job.state.current is None)
    few.tick(2)
    assert "checkpoints-1/manifest.json" in left(few, 1), "its worker may still write"
    few.runtime.held = False
    few.tick(3)
    assert "checkpoints-1/manifest.json" not in left(few, 1)
    assert few.runtime.forgotten[-1] == order.worker


def test_tidying_waits_for_a_store_that_does_not_answer_and_is_no_trouble_of_the_job(few):
    class Away:
        def __init__(self, inner):
            self.inner, self.away = inner, False

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def list(self, *args):
            if self.away:
                raise StoreUnavailableError("connection refused")
            return self.inner.list(*args)

    few.store = Away(few.store)
    few.crash()
    few.store.away = True
    rounds(few, 1)
    few.tick(2)
    assert few.job().degraded is None
    assert any(key.startswith("train-1/files/") for key in left_inside(few, 1))
    few.store.away = False
    few.tick()
    assert not any(key.startswith("train-1/files/") for key in left(few, 1))


def left_inside(world, number):
    prefix = f"{KEY.namespace}/{KEY.name}/rounds/{number}/"
    return {info.key.removeprefix(prefix) for info in world.store.inner.list(prefix)}


def test_a_deleted_job_keeps_no_work_and_comes_back_with_its_history(few):
    rounds(few, 2)
    delete_job(few.db, KEY, few.clock.now())
    few.tick(2)
    assert set(few.runtime.forgotten) == set(few.runtime.specs)
    few.apply(job_spec())
    rounds(few, 1)
    assert few.job().state.champion == 4
