import json

import pytest

from fixtures_gm import KEY, job_spec, report_of
from globalmanager.db import workers
from globalmanager.engine.work.reports import receive_report
from sedna.common.errors import NotFoundError
from sedna.core.report import WorkerReport
from sedna.core.staging import load_result
from sedna.loop.state import Outcome, Stage
from sedna.store.models import load_manifest


def report(spec, results, **changes):
    return WorkerReport.model_validate(report_of(spec, results) | changes)


@pytest.fixture
def training(world):
    """A job whose first training is under way."""
    world.apply()
    world.runtime.held = True
    world.samples(8)
    world.until(lambda job: job.state.current is not None)
    world.tick()
    return world


def test_the_news_of_a_report_is_no_result(training):
    """What was reported and is not in the store is lost with its worker: the next step must not build on it."""
    training.trainer.silent = True
    training.runtime.let_go()
    [name] = training.runtime.specs
    spec = training.runtime.specs[name]
    told = report(spec, [{"format": "json", "url": "/somewhere/skill.json", "metrics": {"loss": 0.25}}])
    assert receive_report(training.db, name, told, training.clock.now())
    assert receive_report(training.db, name, told, training.clock.now())
    training.until(lambda job: job.state.current is None)
    assert "left no report" in training.round(1).outcome_reason
    assert training.events("StrayReport") == []


def test_a_report_alone_does_not_end_a_stage(training):
    [name] = training.runtime.specs
    spec = training.runtime.specs[name]
    assert receive_report(training.db, name, report(spec, []), training.clock.now())
    assert training.tick(3).state.current.stage is Stage.TRAINING


@pytest.mark.parametrize("kind", ["unknown", "other status", "second result", "late"])
def test_stray_reports_change_nothing_and_are_told(training, kind):
    [name] = training.runtime.specs
    spec = training.runtime.specs[name]
    now = training.clock.now()
    if kind == "unknown":
        accepted = receive_report(training.db, "train-worker-zzzzz", report(spec, []), now)
    elif kind == "other status":
        accepted = receive_report(training.db, name, report(spec, [], status="running"), now)
    elif kind == "second result":
        receive_report(training.db, name, report(spec, [{"url": "a"}]), now)
        accepted = receive_report(training.db, name, report(spec, [{"url": "b"}]), now)
    else:
        training.runtime.let_go()
        training.until(lambda job: job.state.current is None or job.state.current.stage is not Stage.TRAINING)
        accepted = receive_report(training.db, name, report(spec, []), now)
    state = training.job().state
    assert not accepted
    [event] = training.events("StrayReport")
    assert "changes nothing" in event.message
    assert training.tick().state.next_round == state.next_round


def test_a_deploy_report_of_a_restarted_inference_worker_moves_nothing(training):
    """Upstream's state machine goes on to the next stage when this happens."""
    [spec] = training.runtime.specs.values()
    posted = WorkerReport.model_validate(report_of(spec, []) | {"kind": "deploy", "name": "inferworker-abcde"})
    assert not receive_report(training.db, "inferworker-abcde", posted, training.clock.now())
    assert training.tick(2).state.current.stage is Stage.TRAINING


def test_a_worker_that_overruns_its_stage_is_stopped_and_its_late_result_ignored(world):
    world.apply(job_spec(limits={"timeoutSeconds": 100, "retries": 0}))
    world.runtime.held = True
    world.samples(8)
    world.until(lambda job: job.state.current is not None)
    world.clock.advance(200)
    world.tick(2)
    assert world.round(1).outcome is Outcome.FAILED
    assert "longer than its limit of 100 s" in world.round(1).outcome_reason
    assert len(world.runtime.stopped) == 1
    with world.db.read() as session:
        assert workers.active(session, world.job().id) == ()
    assert world.unused() == 8


def test_evaluation_results_must_come_in_a_pair(world):
    class One(type(world.trainer)):
        def _evaluate(self, env):
            return super()._evaluate(env)[:1]

    world.runtime = world.twins(One())
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert "reported 1 results" in world.round(1).outcome_reason
    assert "candidate, champion" in world.round(1).outcome_reason


def test_metrics_that_make_no_sense_are_named(world):
    class Odd(type(world.trainer)):
        def _evaluate(self, env):
            results = super()._evaluate(env)
            results[0]["metrics"]["per_sample"] = [{"sample": "x"}]
            return results

    world.runtime = world.twins(Odd())
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert "neither counts nor a value" in world.round(1).outcome_reason


@pytest.mark.parametrize(
    "metrics",
    [
        {"per_sample": [5]},
        {"per_sample": [{"sample": "a", "value": float("nan")}]},
        {"per_sample": [{"sample": "a", "value": 10**400}]},
        {"per_sample": [{"sample": "a", "value": 1.7e308}, {"sample": "b", "value": 1.7e308}]},
        {"per_sample": [{"sample": "a", "tp": [10**400], "fp": [0], "fn": [0]}]},
        {"per_sample": [{"sample": "a", "tp": [-1], "fp": [0], "fn": [0]}]},
    ],
    ids=["no row", "nan", "huge value", "large values", "huge count", "negative count"],
)
def test_a_report_that_cannot_be_read_fails_its_attempt_and_the_job_goes_on(world, metrics):
    original = world.trainer._evaluate
    world.trainer._evaluate = lambda env: [entry | {"metrics": entry["metrics"] | metrics} for entry in original(env)]
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome is Outcome.FAILED
    assert "cannot be read: " in world.round(1).outcome_reason
    assert world.job().degraded is None


@pytest.mark.parametrize("metrics", [{"per_sample": 5}, {"per_sample": True}, {"loss": 10**400}])
def test_what_is_no_result_is_left_out(world, metrics):
    original = world.trainer._evaluate
    world.trainer._evaluate = lambda env: [entry | {"metrics": entry["metrics"] | metrics} for entry in original(env)]
    trained = world.trainer._train
    world.trainer._train = lambda env: [entry | {"metrics": metrics} for entry in trained(env)]
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome in (Outcome.INCONCLUSIVE, Outcome.DEPLOYED)
    assert world.job().degraded is None


def test_the_stored_evaluation_has_every_sample(world):
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.champion == 2)
    stored = json.loads(world.store.get(world.round(1).evaluation_key))
    assert len(stored["candidate"]["per_sample"]) == 4
    assert sorted(row["sample"] for row in stored["candidate"]["per_sample"]) == sorted(stored["judged"])


def test_the_database_keeps_no_results_per_sample_and_still_knows_a_repeated_report(world):
    """With them, a table that is read for every round would grow by some megabytes with each."""
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.champion == 2)
    posted = {
        spec.order.worker: WorkerReport.model_validate(load_result(world.store, spec.order.prefix).report)
        for spec in world.runtime.specs.values()
    }
    with world.db.read() as session:
        kept = {row.name: row.report for row in workers.of_round(session, world.job().id, 1)}
    assert "per_sample" not in json.dumps(kept)
    assert [row["metrics"] for row in kept[list(posted)[-1]]["results"]] == [{"value": 1.0}, {"value": 0.0}]
    assert len(json.loads(world.store.get(world.round(1).evaluation_key))["candidate"]["per_sample"]) == 4
    for name, told in posted.items():
        assert receive_report(world.db, name, told, world.clock.now())
    assert world.events("StrayReport") == []


@pytest.mark.parametrize("what", ["another job's", "a traversal", "another file's"])
def test_a_forged_result_brings_nothing_of_others_into_a_model(world, what):
    """A worker may write anything below its prefix, its result too."""
    world.store.put("other/secret/model.bin", b"secret")

    class Forger(type(world.trainer)):
        def __call__(self, spec, desk):
            status = super().__call__(spec, desk)
            if spec.order.kind == "train":
                key = f"{spec.order.prefix}result.json"
                body = json.loads(world.store.get(key))
                file = body["output"][0]
                file["key"] = {
                    "another job's": "other/secret/model.bin",
                    "a traversal": f"{spec.order.prefix}files/../../../../../other/secret/model.bin",
                    "another file's": f"{spec.order.prefix}order.json",
                }[what]
                world.store.put(key, json.dumps(body).encode())
            return status

    world.runtime = world.twins(Forger())
    world.apply()
    world.samples(8)
    world.until(lambda job: job.state.next_round == 2 and job.state.current is None)
    assert world.round(1).outcome is Outcome.FAILED
    assert "not its own" in world.round(1).outcome_reason
    with pytest.raises(NotFoundError):
        load_manifest(world.store, KEY, 2)
