import json
from pathlib import Path

import pytest

from fixtures_gm import BOX, KEY, job_spec, report_of
from globalmanager.db import datasets, decisions, models, samples, workers
from sedna.core.staging.stage_out import store_failure
from sedna.loop.state import Outcome, RoundKind, Stage
from sedna.store.models import load_manifest


def waiting(number):
    return lambda job: job.state.current is None and job.state.next_round > number


def test_rounds_follow_each_other_and_every_step_is_on_record(world):
    world.apply()
    world.tick()
    for number in (1, 2, 3):
        world.samples(8)
        job = world.until(waiting(number))
        assert job.state.champion == number + 1
        assert world.unused() == 0
    assert [row.outcome for row in world.rounds()] == [Outcome.DEPLOYED] * 3
    assert [row.dataset_version for row in world.rounds()] == [1, 2, 3]
    last = world.round(3)
    assert [entry.stage for entry in last.stages] == list(Stage)
    assert (last.candidate, last.champion) == (4, 3)
    assert last.verdict.candidate == 3.0
    assert last.evaluation.candidate.per_sample == ()
    assert len(last.evaluation.judged) == 12
    with world.db.read() as session:
        versions = [datasets.get(session, job.id, n) for n in (1, 2, 3)]
        model = models.get(session, job.id, 4)
    assert [(row.train, row.eval, row.new) for row in versions] == [(4, 4, 8), (8, 8, 8), (12, 12, 8)]
    assert (model.parent, model.round, model.dataset_version, model.entry) == (3, 3, 3, "skill.json")
    assert load_manifest(world.store, KEY, 4).sha256 == model.manifest_sha256


def test_a_worker_gets_what_the_contract_says(world):
    world.apply()
    world.samples(8)
    world.until(waiting(1))
    train, evaluate = world.trainer.runs
    assert train.env["ALGORITHM"] == "twin"
    assert json.loads(train.env["ALGORITHM_PARAMETERS"]) == {"depth": 2}
    assert json.loads(train.env["CLASS_NAMES"]) == ["good", "bad"]
    assert train.env["WORKER_NAME"] == train.name
    assert train.name.startswith("train-worker-")
    assert len(Path(train.env["TRAIN_DATASET_URL"]).read_text().splitlines()) == 4
    assert Path(train.env["TRAIN_DATASET_URL"]).read_text().splitlines()[0].endswith(" 1,1,5,5,0")
    assert train.env["ORIGINAL_DATASET_URL"] == str(world.folder / "stream.txt"), "upstream's programs look beside it"
    skills = [json.loads(Path(url).read_text())["skill"] for url in evaluate.env["MODEL_URLS"].split(";")]
    assert skills == [1.0, 0]
    assert len(Path(evaluate.env["TEST_DATASET_URL"]).read_text().splitlines()) == 4


def test_a_sample_tells_its_whole_story(world):
    world.apply()
    sample = world.sample()
    world.samples(7)
    world.until(waiting(1))
    with world.db.read() as session:
        story = samples.story(session, world.job().id, sample)
    assert story.sample.part in ("train", "eval")
    assert story.sample.round_used == 1
    assert [label.author for label in story.labels] == ["ann"]
    assert story.dataset_versions == (1,)
    assert story.models == ((2,) if story.sample.part == "train" else ())


def test_a_worse_candidate_is_rejected_and_the_next_round_starts_from_the_champion(world):
    world.apply()
    world.trainer.gain = -1.0
    world.samples(8)
    job = world.until(waiting(1))
    assert world.round(1).outcome is Outcome.REJECTED
    assert job.state.champion == 1
    assert world.unused() == 0
    world.trainer.gain = 1.0
    world.samples(8)
    world.until(waiting(2))
    with world.db.read() as session:
        assert models.get(session, job.id, 3).parent == 1
    assert world.job().state.champion == 3


def test_a_failed_training_gives_its_samples_back(world):
    world.apply(job_spec(limits={"retries": 0}))
    world.trainer.exit_codes = [3]
    world.samples(8)
    world.until(waiting(1))
    first = world.round(1)
    assert first.outcome is Outcome.FAILED
    assert "exit code 3" in first.outcome_reason
    assert world.unused() == 8
    world.clock.advance(3600)
    world.until(waiting(2))
    second = world.round(2)
    assert second.outcome is Outcome.DEPLOYED
    with world.db.read() as session:
        version = datasets.get(session, world.job().id, second.dataset_version)
        assert version.new == 8
        [worker] = workers.of_round(session, world.job().id, 1)
    header = json.loads(world.store.get(version.manifest_key).decode().splitlines()[0])
    assert (header["counts"]["new_train"], header["counts"]["new_eval"]) == (4, 4), "what came back is new again"
    assert worker.exit_code == 3
    assert worker.error.endswith("last lines of its log:\noh")


def test_a_temporary_failure_is_tried_again_and_attempts_share_checkpoints(world):
    world.apply()
    world.trainer.exit_codes = [75, 75]
    world.samples(8)
    world.until(waiting(1), ticks=100)
    first = world.round(1)
    assert first.outcome is Outcome.DEPLOYED
    training = [run for run in world.trainer.runs if run.kind == "train"]
    orders = [spec.order for spec in world.runtime.specs.values() if spec.order.kind == "train"]
    assert [order.attempt for order in orders] == [1, 2, 3]
    assert len({order.checkpoints for order in orders}) == 1
    assert len({order.prefix for order in orders}) == 3
    assert len({run.name for run in training}) == 3


@pytest.mark.parametrize("kind", ["nothing written", "no report", "reported failure", "damaged report"])
def test_a_worker_that_ends_well_without_a_result_fails_the_round(world, kind):
    class Broken(type(world.trainer)):
        def __call__(self, spec, desk):
            self.silent = kind in ("no report", "reported failure")
            if kind == "reported failure":
                error = {"error": {"kind": "DataError", "message": "bad line 7"}}
                store_failure(spec.order, world.store, report_of(spec, [], "failed") | {"ownerInfo": error})
            return super().__call__(spec, desk)

        def _train(self, env):
            results = super()._train(env)
            if kind == "nothing written":
                (Path(env["MODEL_URL"]) / "skill.json").unlink()
            return results if kind != "damaged report" else ["two", 2]

    world.runtime = world.twins(Broken())
    world.apply()
    world.samples(8)
    world.until(waiting(1))
    words = {
        "nothing written": "left no model",
        "no report": "left no report",
        "reported failure": "bad line 7",
        "damaged report": "report cannot be read",
    }
    assert world.round(1).outcome is Outcome.FAILED
    assert words[kind] in world.round(1).outcome_reason
    assert world.unused() == 8


def test_without_evaluation_samples_there_is_no_evidence(world):
    spec = job_spec()
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1
    world.apply(spec)
    world.samples(4)
    world.until(waiting(1))
    # From now on one sample in a hundred goes to the evaluation share, and none of the next; those of round 1 are old.
    spec["dataset"]["trainProb"] = 0.99
    world.apply(spec)
    world.settings = world.settings.model_copy(update={"eval_history_rounds": 1})
    world.crash()
    world.samples(2)
    world.until(waiting(2))
    assert world.round(2).outcome is Outcome.INCONCLUSIVE
    assert "not enough evidence" in world.round(2).outcome_reason
    assert [run.kind for run in world.trainer.runs] == ["train", "eval", "train"]


def test_decisions_are_kept_and_repetitions_counted(world):
    world.apply()
    world.tick(5)
    with world.db.read() as session:
        page = decisions.list_page(session, world.job().id)
    newest = page.items[0]
    assert not newest.decision.fire
    assert newest.count >= 4
    assert any("num_of_samples = 0" in reason for reason in newest.decision.reasons)


def test_the_check_period_holds_for_automatic_decisions(world):
    spec = job_spec()
    spec["trainSpec"]["trigger"]["checkPeriodSeconds"] = 60
    world.apply(spec)
    world.tick()
    world.samples(8)
    assert world.tick(50).state.next_round == 1
    assert world.until(waiting(1), ticks=20).state.champion == 2


def test_an_edited_job_is_looked_at_at_once(world):
    spec = job_spec()
    spec["trainSpec"]["trigger"] |= {"checkPeriodSeconds": 3600}
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 100
    world.apply(spec)
    world.samples(8)
    world.tick(3)
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 4
    world.apply(spec)
    world.until(waiting(1), ticks=5)
    assert world.round(1).kind is RoundKind.TRAIN


def test_relabelling_changes_the_next_dataset_version_and_not_the_last(world):
    world.apply()
    sample = world.sample()
    world.samples(7)
    world.until(waiting(1))
    from globalmanager.labelling import label_sample

    other = BOX.model_copy(update={"boxes": ()})
    label_sample(world.db, KEY, sample, other, "bea", world.clock.now())
    world.samples(8)
    world.until(waiting(2))
    from sedna.store.layout import dataset_manifest_key

    def annotation(version):
        for line in world.store.get(dataset_manifest_key(KEY, version)).decode().splitlines()[1:]:
            entry = json.loads(line)
            if entry["sample_id"] == sample:
                return entry
        raise AssertionError("not there")

    first, second = annotation(1), annotation(2)
    assert len(first["annotation"]["boxes"]) == 1
    assert second["annotation"]["boxes"] == []
    assert first["part"] == second["part"]
    assert (first["new"], second["new"]) == (True, False)
