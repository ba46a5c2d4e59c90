"""The life of a job as `kubectl` sees it, round after round."""

from fixtures_gm import job_spec
from globalmanager.cluster.kinds import DATASETS, JOBS, MODELS
from globalmanager.runtimes.base import RunPhase, WorkerStatus
from sedna.common.types import JobKey

KEY = JobKey(name="boards")


def test_a_job_is_taken_in_and_says_so(there):
    there.ready()
    assert there.shown("Ready") == ("True", "Accepted")
    assert there.shown("Progressing") == ("False", "Waiting")
    assert there.shown("TrainingComplete") == ("Unknown", "NoRound")
    assert there.shown("Deployed") == ("False", "NoRound")
    assert there.condition("Degraded") == {}
    status = there.status()
    assert (status["phase"], status["model"], status["ready"], status["reason"]) == ("Waiting", 1, "True", "Waiting")
    assert status["observedGeneration"] == 1
    assert there.annotations() == {"sedna.io/managed-by": "sedna/sedna"}
    assert there.world.job().metadata["uid"] == there.body()["metadata"]["uid"]
    assert there.shown("Ready", DATASETS, "stream") == ("True", "Accepted")
    assert there.shown("Ready", MODELS, "first") == ("True", "Accepted")


def test_a_round_is_told_from_its_start_to_its_deployment(there):
    there.ready()
    there.train()
    assert there.shown("TrainingComplete") == ("Unknown", "Training")
    assert there.shown("EvaluationPassed") == ("Unknown", "Training")
    assert there.shown("Deployed") == ("False", "Training")
    assert there.status()["phase"] == "Training"
    assert there.body()["metadata"]["finalizers"] == ["sedna.io/workers"]
    there.let_go()
    assert there.shown("TrainingComplete") == ("True", "Trained")
    assert there.shown("EvaluationPassed") == ("True", "Better")
    assert there.shown("Progressing") == ("False", "Waiting")
    status = there.status()
    assert (status["round"], status["model"], status["phase"]) == (1, 2, "Waiting")
    assert status["metric"] == "value=1"
    (first,) = status["rounds"]
    assert (first["outcome"], first["candidate"], first["candidateMetric"]) == ("Deployed", 2, 1.0)
    assert first["samples"] == there.world.job().totals.labelled
    assert "finalizers" not in there.body()["metadata"] or there.body()["metadata"]["finalizers"] == []
    assert there.told() == [
        "Ready", "RoundStarted", "TrainingComplete", "EvaluationPassed", "Deployed",
    ]  # fmt: skip


def test_deployed_turns_false_when_the_next_round_trains_and_true_again(there):
    there.ready()
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))
    since = there.condition("Deployed")["lastTransitionTime"]
    there.step(5)
    assert there.condition("Deployed")["lastTransitionTime"] == since
    there.world.runtime.held = True
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("False", "Training"))
    assert there.condition("Deployed")["lastTransitionTime"] > since
    there.let_go()
    assert there.status()["round"] == 2
    assert [one["round"] for one in there.status()["rounds"]] == [2, 1]


def test_a_worse_candidate_is_no_deployment(there):
    there.ready()
    there.world.trainer.gain = -1.0
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("False", "Rejected"))
    assert there.shown("EvaluationPassed") == ("False", "NotBetter")
    assert "model 1 stays in service" in there.condition("Deployed")["message"]
    assert there.condition("Degraded") == {}
    assert there.told()[-2:] == ["NotBetter", "RoundRejected"]


def test_a_training_that_fails_says_why_and_the_loop_goes_on(there):
    there.ready()
    there.world.trainer.exit_codes = [1]
    there.world.samples(10)
    there.until(lambda: there.shown("Degraded")[0] == "True")
    assert there.shown("TrainingComplete") == ("False", "TrainingFailed")
    assert "exit code 1" in there.condition("TrainingComplete")["message"]
    assert there.shown("Deployed") == ("False", "Failed")
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"), seconds=2000)
    assert there.condition("Degraded") == {}
    assert "Recovered" in there.told()


def test_an_edit_is_taken_over(there):
    there.ready()
    edited = job_spec()
    edited["trainSpec"]["trigger"]["condition"]["threshold"] = 2
    there.apply_job(edited)
    there.step()
    assert there.world.job().spec.train_spec.trigger.condition.threshold == 2
    assert there.status()["observedGeneration"] == 2
    assert there.condition("Ready")["observedGeneration"] == 2


def test_a_refused_edit_leaves_the_job_running_as_it_was(there):
    there.ready()
    wrong = job_spec()
    wrong["dataset"]["trainProb"] = 3
    there.apply_job(wrong)
    there.step()
    assert there.shown("Ready") == ("False", "SpecInvalid")
    assert "trainProb" in there.condition("Ready")["message"]
    there.world.samples(10)
    there.until(lambda: there.shown("Deployed") == ("True", "Deployed"))
    assert there.shown("Ready") == ("False", "SpecInvalid")
    there.apply_job()
    there.step()
    assert there.shown("Ready") == ("True", "Accepted")


def test_a_replace_in_the_middle_of_a_round_does_not_disturb_it(there):
    there.ready()
    there.train()
    edited = job_spec()
    edited["deploySpec"]["gate"]["minSamples"] = 2
    body = there.body()
    there.cluster.patch(JOBS, "default", "boards", [{"op": "replace", "path": "/spec", "value": edited}])
    there.cluster.merge(JOBS, "default", "boards", {"metadata": {"annotations": None, "finalizers": None}})
    there.step(2)
    assert there.body()["metadata"]["finalizers"] == body["metadata"]["finalizers"]
    assert there.annotations()["sedna.io/managed-by"] == "sedna/sedna"
    there.let_go()
    assert there.status()["round"] == 1


def test_what_nobody_changes_costs_no_request(there):
    there.apply_all()
    there.step(10)
    there.cluster.requests.clear()
    there.step(700)
    assert there.cluster.requests == []
    assert there.operator.waiting > 0, "all is looked at from time to time"


def test_what_a_worker_waits_for_is_told_and_that_it_waits_no_longer(there):
    there.ready()
    there.train()
    (name,) = there.world.runtime.status
    waiting = WorkerStatus(phase=RunPhase.RUNNING, cause="Unschedulable", reason="0/1 nodes are available")
    there.world.runtime.status[name] = waiting
    there.step(2)
    assert there.shown("Progressing") == ("True", "Unschedulable")
    assert "0/1 nodes are available" in there.condition("Progressing")["message"]
    assert there.told()[-1] == "Unschedulable"
    there.world.runtime.status[name] = WorkerStatus(phase=RunPhase.RUNNING)
    there.step(2)
    assert there.shown("Progressing") == ("True", "Training")


def test_the_cause_of_a_failure_is_the_reason_of_the_condition(there):
    there.ready()
    there.train()
    (name,) = there.world.runtime.status
    there.world.runtime.status[name] = WorkerStatus(
        phase=RunPhase.FAILED, exit_code=137, cause="OOMKilled", reason="over its limit of 64 MiB"
    )
    there.until(lambda: there.shown("TrainingComplete") == ("False", "OOMKilled"))
    assert there.shown("Degraded") == ("True", "OOMKilled")
    assert "over its limit of 64 MiB" in there.condition("TrainingComplete")["message"]
