import threading
import time

import pytest

from fixtures_gm import KEY, job_spec
from globalmanager.db import models, requests
from globalmanager.engine import driver
from globalmanager.engine.apply import pause_job, resume_job
from globalmanager.engine.explain import explain_trigger
from sedna.common.errors import ConflictError
from sedna.loop.observation import ManualRequest
from sedna.loop.state import Outcome, Pause, RoundKind
from sedna.store.models import load_manifest


def ask(world, action, *, version=None, key=None, reason="because", **parameters):
    wish = ManualRequest(
        id="", action=action, reason=reason, requested_by="ann", version=version, parameters=parameters
    )
    with world.db.write() as session:
        return requests.add(session, world.job(), wish, world.clock.now(), idempotency_key=key)


def answer(world, request):
    with world.db.read() as session:
        return requests.get(session, world.job(), request.id)


def quiet():
    spec = job_spec()
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
    return spec


@pytest.fixture
def two_models(world):
    world.apply(quiet())
    world.samples(8)
    world.tick()
    ask(world, RoundKind.TRAIN)
    world.until(lambda job: job.state.champion == 2)
    return world


def test_a_train_request_needs_no_trigger_and_passes_parameters_on(two_models):
    request, created = ask(two_models, RoundKind.TRAIN, depth=9)
    assert created
    two_models.until(lambda job: job.state.next_round == 3 and job.state.current is None)
    found = answer(two_models, request)
    assert (found.state, found.round) == ("accepted", 2)
    assert '"depth": 9' in two_models.trainer.runs[-1].env["ALGORITHM_PARAMETERS"]
    assert two_models.round(2).reason == "asked for: because"


def test_a_roll_back_and_a_new_look_at_the_candidate(two_models):
    ask(two_models, RoundKind.DEPLOY, version=1, reason="complaints")
    job = two_models.until(lambda job: job.state.champion == 1)
    assert two_models.round(2).kind is RoundKind.DEPLOY
    assert two_models.round(2).dataset_version is None
    ask(two_models, RoundKind.EVAL)
    job = two_models.until(lambda job: job.state.next_round == 4 and job.state.current is None)
    assert two_models.round(3).outcome is Outcome.DEPLOYED
    assert job.state.champion == 2
    assert two_models.trainer.runs[-1].kind == "eval"


@pytest.mark.parametrize(
    ("action", "version", "words"),
    [(RoundKind.DEPLOY, 7, "no model version 7; known: 1, 2"), (RoundKind.DEPLOY, 2, "already in service")],
    ids=["unknown", "in service"],
)
def test_what_cannot_be_done_is_refused_with_a_reason(two_models, action, version, words):
    request, _ = ask(two_models, action, version=version)
    two_models.tick(2)
    found = answer(two_models, request)
    assert found.state == "refused"
    assert words in found.message


def test_a_deploy_request_does_not_wait_for_a_training_nor_behind_another_request(two_models):
    two_models.runtime.held = True
    ask(two_models, RoundKind.TRAIN)
    two_models.until(lambda job: job.state.current is not None)
    waits, _ = ask(two_models, RoundKind.TRAIN)
    now, _ = ask(two_models, RoundKind.DEPLOY, version=1)
    two_models.tick()
    assert two_models.job().state.champion == 1
    assert (answer(two_models, now).state, answer(two_models, waits).state) == ("accepted", "pending")
    two_models.runtime.held = False
    two_models.runtime.let_go()
    two_models.until(lambda job: job.state.next_round == 5 and job.state.current is None)
    assert answer(two_models, waits).round == 4
    # The candidate of the round that went on was judged against the model that was in service by then.
    assert [row.champion for row in two_models.rounds()] == [1, 1, 2, 3]


def test_a_training_that_is_tried_again_after_a_roll_back_is_of_the_model_that_it_started_from(two_models):
    two_models.runtime.held = True
    ask(two_models, RoundKind.TRAIN)
    two_models.until(lambda job: job.state.current is not None)
    two_models.trainer.exit_codes = [75]
    ask(two_models, RoundKind.DEPLOY, version=1)
    two_models.tick()
    two_models.runtime.held = False
    two_models.runtime.let_go()
    two_models.until(lambda job: job.state.next_round == 4 and job.state.current is None, ticks=60)
    orders = [spec.order for spec in two_models.runtime.specs.values() if spec.order.kind == "train"]
    first, second = (order.model("base").files[0].key for order in orders[1:])
    assert (first.split("/")[3], second.split("/")[3]) == ("2", "1")
    assert len({order.checkpoints for order in orders[1:]}) == 2, "checkpoints of another model are of no use"
    with two_models.db.read() as session:
        assert models.get(session, two_models.job().id, 3).parent == 1
    assert load_manifest(two_models.store, KEY, 3).parent == 1


def test_a_training_that_a_roll_back_does_not_disturb_is_of_the_model_that_it_started_from(two_models):
    two_models.runtime.held = True
    ask(two_models, RoundKind.TRAIN)
    two_models.until(lambda job: job.state.current is not None)
    ask(two_models, RoundKind.DEPLOY, version=1)
    two_models.tick()
    two_models.runtime.held = False
    two_models.runtime.let_go()
    two_models.until(lambda job: job.state.next_round == 4 and job.state.current is None)
    assert load_manifest(two_models.store, KEY, 3).parent == 2


def test_the_same_key_is_the_same_request_and_another_content_a_conflict(two_models):
    first, created = ask(two_models, RoundKind.TRAIN, key="k1")
    again, created_again = ask(two_models, RoundKind.TRAIN, key="k1")
    assert (created, created_again) == (True, False)
    assert first == again
    with pytest.raises(ConflictError, match="another request"):
        ask(two_models, RoundKind.TRAIN, key="k1", reason="another")


def test_explaining_a_trigger_stores_nothing(two_models):
    before = two_models.events()
    decision = explain_trigger(two_models.db, KEY, two_models.clock.now(), two_models.settings)
    assert not decision.fire
    assert any("num_of_samples = 0, not >= 1000" in reason for reason in decision.reasons)
    assert two_models.events() == before


def test_a_waking_engine_acts_at_once(world):
    """The tick is an hour long here: only the wake event can explain that the request is answered."""
    world.settings = world.settings.model_copy(update={"tick_seconds": 3600.0})
    world.apply(quiet())
    world.samples(8)
    from globalmanager.engine import Engine

    engine = Engine(world.db, world.store, world.runtime, world.clock, world.settings)
    engine.start()
    try:
        request, _ = ask(world, RoundKind.TRAIN)
        deadline = time.monotonic() + 30
        while world.job().state.champion != 2 and time.monotonic() < deadline:
            engine.wake()
            threading.Event().wait(0.02)
        assert world.job().state.champion == 2
        assert engine.running
    finally:
        engine.stop()
    assert not engine.running
    assert answer(world, request).round == 1


def test_a_pause_between_look_and_decision_wins(world, monkeypatch):
    """The engine has read the job before somebody paused it: it looks again instead of reporting trouble."""
    world.apply()
    world.until(lambda job: job.state.champion == 1)
    world.samples(8)
    real = driver.decide

    def paused_meanwhile(*arguments, **options):
        found = real(*arguments, **options)
        pause_job(world.db, KEY, Pause(at=world.clock.now(), by="anna", reason="audit"))
        return found

    monkeypatch.setattr(driver, "decide", paused_meanwhile)
    for _ in range(3):
        world.tick()
    job = world.job()
    assert (job.phase, job.state.next_round, job.degraded) == ("Paused", 1, None)
    monkeypatch.undo()
    resume_job(world.db, KEY, "anna", world.clock.now())
    world.until(lambda job: job.state.next_round == 2)
