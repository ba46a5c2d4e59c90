"""Conditions, status, story: pure functions over every state that a job can be in."""

from datetime import UTC, datetime, timedelta

import pytest

from fixtures_gm import job_spec
from globalmanager.db.values import JobRow, RoundRow, SampleTotals, WorkerRow
from globalmanager.operator.conditions import job_conditions
from globalmanager.operator.described import Refusal, metadata_of
from globalmanager.operator.edges import EdgesRollout
from globalmanager.operator.facts import JobFacts
from globalmanager.operator.job_status import Situation, job_status
from globalmanager.operator.status import ConditionType, JobStatus
from globalmanager.operator.stored_status import Stored, status_patch, stored_status, written
from globalmanager.operator.story import story_of
from globalmanager.operator.trigger_request import Ask
from sedna.common.errors import SpecError
from sedna.common.types import JobKey
from sedna.loop.observation import SampleCounts, WorkerPhase
from sedna.loop.spec import JobSpec
from sedna.loop.state import JobState, Outcome, Pause, RoundKind, RoundState, Stage
from sedna.loop.verdict import Check, GateOutcome, GateVerdict

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(hours=1, microseconds=123456)

TRAINING, EVALUATION, DEPLOYED = (
    ConditionType.TRAINING_COMPLETE,
    ConditionType.EVALUATION_PASSED,
    ConditionType.DEPLOYED,
)


def row(
    *,
    current: RoundState | None = None,
    champion: int | None = 1,
    degraded: str | None = None,
    failures: int = 0,
    paused: Pause | None = None,
):
    state = JobState(
        created_at=START, next_round=3, champion=champion, current=current, failures=failures, paused=paused
    )
    return JobRow(
        id=1,
        key=JobKey(name="boards"),
        spec=JobSpec.model_validate(job_spec()),
        metadata={"uid": "u"},
        generation=1,
        state=state,
        seq=1,
        totals=SampleTotals(samples=9, labelled=8, train=4, eval=3, holdout=1),
        degraded=degraded,
        degraded_at=None,
        created_at=START,
        updated_at=START,
        deleted_at=None,
    )


def round_row(number: int, stage: Stage, **more) -> RoundRow:
    fields = {
        "round": number,
        "kind": RoundKind.TRAIN,
        "reason": "enough samples",
        "stage": stage,
        "attempt": 1,
        "stages": (),
        "outcome": None,
        "outcome_reason": "",
        "candidate": None,
        "champion": 1,
        "dataset_version": None,
        "verdict": None,
        "evaluation": None,
        "evaluation_key": None,
        "started_at": START,
        "ended_at": None,
    }
    return RoundRow(**(fields | more))


def running(number: int, stage: Stage, kind: RoundKind = RoundKind.TRAIN, **more) -> RoundState:
    return RoundState(id=number, kind=kind, reason="r", stage=stage, started_at=START, stage_started_at=START, **more)


def worker(number: int, stage: Stage, **more) -> WorkerRow:
    fields = {
        "id": 1,
        "job_id": 1,
        "round": number,
        "stage": stage,
        "attempt": 1,
        "name": "train-worker-x",
        "phase": WorkerPhase.RUNNING,
        "handle": {},
        "champion": 1,
        "report": None,
        "model_version": None,
        "exit_code": None,
        "error": None,
        "cause": "",
        "waiting": "",
        "retryable": False,
        "usage": None,
        "progress": None,
        "created_at": START,
        "ended_at": None,
    }
    return WorkerRow(**(fields | more))


def verdict(outcome: GateOutcome) -> GateVerdict:
    passed = {GateOutcome.BETTER: True, GateOutcome.NOT_BETTER: False, GateOutcome.NOT_ENOUGH_EVIDENCE: None}[outcome]
    check = Check(name="gate", passed=passed, required="more", reason="0.9 against 0.8")
    return GateVerdict(outcome=outcome, metric="f1", candidate=0.9, champion=0.8, samples=10, checks=(check,))


def facts(job: JobRow, *rounds: RoundRow, **more) -> JobFacts:
    return JobFacts(row=job, unused=SampleCounts(), rounds=rounds, **more)


def words(found) -> dict[str, tuple[str, str]]:
    return {kind.value: (state.status, state.reason) for kind, state in found.items()}


NO_ROUND = {
    "TrainingComplete": ("Unknown", "NoRound"),
    "EvaluationPassed": ("Unknown", "NoRound"),
    "Deployed": ("False", "NoRound"),
}

BETTER, WORSE, UNSURE = (verdict(outcome) for outcome in GateOutcome)
FIRST = round_row(1, Stage.DEPLOYING, outcome=Outcome.DEPLOYED, candidate=2, verdict=BETTER, ended_at=START)

PAUSE = Pause(at=START, by="anna", reason="audit")
CASES = {
    "paused": (
        facts(row(paused=PAUSE)),
        {"Ready": ("True", "Accepted"), "Progressing": ("False", "Paused"), **NO_ROUND},
    ),
    "nothing yet": (facts(row()), {"Ready": ("True", "Accepted"), "Progressing": ("False", "Waiting"), **NO_ROUND}),
    "before the first model": (facts(row(champion=None)), {"Ready": ("False", "Starting")}),
    "no first model": (
        facts(row(champion=None, degraded="initial model: no such file")),
        {"Ready": ("False", "ModelUnavailable"), "Degraded": ("True", "ModelUnavailable")},
    ),
    "no dataset": (
        facts(row(degraded="dataset: no such file")),
        {"Ready": ("True", "Accepted"), "Degraded": ("True", "DatasetUnavailable")},
    ),
    "a defect": (facts(row(degraded="internal error: KeyError: 1")), {"Degraded": ("True", "InternalError")}),
    "some trouble": (facts(row(degraded="the store is away")), {"Degraded": ("True", "Trouble")}),
    "training": (
        facts(row(current=running(2, Stage.TRAINING)), round_row(2, Stage.TRAINING), FIRST),
        {
            "Progressing": ("True", "Training"),
            "TrainingComplete": ("Unknown", "Training"),
            "EvaluationPassed": ("Unknown", "Training"),
            "Deployed": ("False", "Training"),
        },
    ),
    "training waits for a node": (
        facts(
            row(current=running(2, Stage.TRAINING)),
            round_row(2, Stage.TRAINING),
            worker=worker(2, Stage.TRAINING, cause="Unschedulable", waiting="0/1 nodes are available"),
        ),
        {"Progressing": ("True", "Unschedulable")},
    ),
    "evaluating": (
        facts(row(current=running(2, Stage.EVALUATING)), round_row(2, Stage.EVALUATING, candidate=3), FIRST),
        {
            "Progressing": ("True", "Evaluating"),
            "TrainingComplete": ("True", "Trained"),
            "EvaluationPassed": ("Unknown", "Evaluating"),
            "Deployed": ("False", "Evaluating"),
        },
    ),
    "judged and waiting for its window": (
        facts(row(current=running(2, Stage.JUDGING)), round_row(2, Stage.JUDGING, candidate=3, verdict=BETTER)),
        {"EvaluationPassed": ("True", "Better"), "Deployed": ("False", "Judging")},
    ),
    "deploying": (
        facts(row(current=running(2, Stage.DEPLOYING)), round_row(2, Stage.DEPLOYING, candidate=3, verdict=BETTER)),
        {"EvaluationPassed": ("True", "Better"), "Deployed": ("False", "Deploying")},
    ),
    "deployed": (
        facts(row(champion=2), FIRST),
        {
            "Progressing": ("False", "Waiting"),
            "TrainingComplete": ("True", "Trained"),
            "EvaluationPassed": ("True", "Better"),
            "Deployed": ("True", "Deployed"),
        },
    ),
    "rejected": (
        facts(row(), round_row(2, Stage.JUDGING, candidate=3, verdict=WORSE, outcome=Outcome.REJECTED), FIRST),
        {
            "TrainingComplete": ("True", "Trained"),
            "EvaluationPassed": ("False", "NotBetter"),
            "Deployed": ("False", "Rejected"),
        },
    ),
    "inconclusive": (
        facts(row(), round_row(2, Stage.JUDGING, candidate=3, verdict=UNSURE, outcome=Outcome.INCONCLUSIVE)),
        {"EvaluationPassed": ("False", "NotEnoughEvidence"), "Deployed": ("False", "Inconclusive")},
    ),
    "training failed": (
        facts(row(failures=1), round_row(2, Stage.TRAINING, outcome=Outcome.FAILED, outcome_reason="no"), FIRST),
        {
            "TrainingComplete": ("False", "TrainingFailed"),
            "EvaluationPassed": ("False", "TrainingFailed"),
            "Deployed": ("False", "Failed"),
            "Degraded": ("True", "RoundFailed"),
        },
    ),
    "out of memory": (
        facts(
            row(failures=1),
            round_row(2, Stage.TRAINING, outcome=Outcome.FAILED),
            trouble=worker(2, Stage.TRAINING, error="killed", cause="OOMKilled"),
        ),
        {"TrainingComplete": ("False", "OOMKilled"), "Degraded": ("True", "OOMKilled")},
    ),
    "evaluation failed": (
        facts(row(failures=1), round_row(2, Stage.EVALUATING, candidate=3, outcome=Outcome.FAILED)),
        {
            "TrainingComplete": ("True", "Trained"),
            "EvaluationPassed": ("False", "EvaluationFailed"),
            "Degraded": ("True", "RoundFailed"),
        },
    ),
    "rolled back by hand": (
        facts(
            row(),
            round_row(3, Stage.DEPLOYING, kind=RoundKind.DEPLOY, candidate=1, outcome=Outcome.DEPLOYED),
            round_row(2, Stage.JUDGING, candidate=3, verdict=WORSE, outcome=Outcome.REJECTED),
        ),
        {"EvaluationPassed": ("False", "NotBetter"), "Deployed": ("True", "Deployed")},
    ),
    "a promotion under way": (
        facts(
            row(current=running(3, Stage.DEPLOYING, RoundKind.DEPLOY)),
            round_row(3, Stage.DEPLOYING, kind=RoundKind.DEPLOY, candidate=1),
            FIRST,
        ),
        {"Progressing": ("True", "Deploying"), "Deployed": ("False", "Deploying")},
    ),
    "a promotion that failed": (
        facts(row(), round_row(3, Stage.DEPLOYING, kind=RoundKind.DEPLOY, outcome=Outcome.FAILED), FIRST),
        {"Deployed": ("True", "Deployed"), "TrainingComplete": ("True", "Trained")},
    ),
    "a second look": (
        facts(
            row(current=running(3, Stage.EVALUATING, RoundKind.EVAL)),
            round_row(3, Stage.EVALUATING, kind=RoundKind.EVAL, candidate=2),
            FIRST,
        ),
        {"EvaluationPassed": ("Unknown", "Evaluating"), "Deployed": ("True", "Deployed")},
    ),
    "promoted before it was judged": (
        facts(row(champion=3), round_row(2, Stage.DEPLOYING, candidate=3, outcome=Outcome.DEPLOYED)),
        {"EvaluationPassed": ("Unknown", "NotJudged"), "Deployed": ("True", "Deployed")},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_true(case):
    given, wanted = CASES[case]
    found = words(job_conditions(given, None))
    assert {kind: found.get(kind) for kind in wanted} == wanted
    assert ("Degraded" in found) == ("Degraded" in wanted)


def test_what_is_refused_is_not_ready_and_goes_on_all_the_same():
    refusal = Refusal(reason="SpecInvalid", message="spec.dataset.trainProb: 3")
    assert words(job_conditions(None, refusal)) == {
        "Ready": ("False", "SpecInvalid"),
        "Progressing": ("False", "SpecInvalid"),
        **NO_ROUND,
    }
    found = words(job_conditions(CASES["training"][0], refusal))
    assert (found["Ready"], found["Progressing"]) == (("False", "SpecInvalid"), ("True", "Training"))
    deleting = words(job_conditions(CASES["training"][0], None, deleting=True))
    assert (deleting["Ready"], deleting["Progressing"]) == (("False", "Deleting"), ("True", "Training"))


def test_another_operator_and_edges_that_fail_are_degraded():
    given = CASES["deployed"][0]
    assert words(job_conditions(given, None, fought_over="x"))["Degraded"] == ("True", "AnotherOperator")
    failing = EdgesRollout(reason="EdgesFailing", message="image")
    assert words(job_conditions(given, None, edges=failing))["Degraded"] == ("True", "EdgesFailing")
    starting = EdgesRollout(reason="EdgesStarting", message="")
    assert "Degraded" not in words(job_conditions(given, None, edges=starting))


def test_a_model_in_service_that_edges_refuse_is_degraded_until_a_round_is_under_way():
    said = "model 1 is in service, and refused by line-3: no module"
    found = job_conditions(facts(row(), unserved=said), None)
    assert words(found)["Degraded"] == ("True", "EdgesRefuse")
    assert shown(facts(row(), unserved=said))["phase"] == "Degraded"
    current = running(1, Stage.DEPLOYING, RoundKind.DEPLOY)
    assert shown(facts(row(current=current), unserved=said))["phase"] == "Deploying"


def test_an_attempt_after_a_failure_says_what_failed():
    given = facts(
        row(current=running(2, Stage.TRAINING, attempt=2, failed_attempts=1)),
        round_row(2, Stage.TRAINING),
        worker=worker(2, Stage.TRAINING, attempt=2),
        trouble=worker(2, Stage.TRAINING, error="exit code 1\nTraceback"),
    )
    text = job_conditions(given, None)[ConditionType.PROGRESSING].message
    assert text == "round 2: Training, attempt 2 after 1 failed: exit code 1"


def body(status: object = None, generation: int = 1) -> dict:
    return {"metadata": {"name": "boards", "namespace": "default", "uid": "u", "generation": generation}} | (
        {} if status is None else {"status": status}
    )


def shown(given: JobFacts, before: object = None, now: datetime = NOW, generation: int = 1) -> dict:
    status = job_status(given, Situation(generation=generation), stored_status(body(before)), now)
    return written(status)


def since(status: dict, kind: ConditionType) -> str:
    return next(one["lastTransitionTime"] for one in status["conditions"] if one["type"] == kind)


def test_times_move_only_when_a_status_flips():
    first = shown(CASES["training"][0])
    later = NOW + timedelta(minutes=5)
    evaluating = shown(CASES["evaluating"][0], first, later)
    assert since(first, DEPLOYED) == "2026-01-01T01:00:00Z"
    assert since(evaluating, DEPLOYED) == since(first, DEPLOYED), "another reason is no flip"
    assert since(evaluating, TRAINING) == "2026-01-01T01:05:00Z"
    assert since(evaluating, EVALUATION) == since(first, EVALUATION)


def test_the_same_facts_are_no_write():
    for given, _ in CASES.values():
        first = shown(given)
        assert status_patch(shown(given, first, NOW + timedelta(days=1)), first) == {}


def test_a_patch_makes_one_status_into_another():
    def merged(target, patch):
        if not isinstance(patch, dict):
            return patch
        result = dict(target) if isinstance(target, dict) else {}
        for name, value in patch.items():
            if value is None:
                result.pop(name, None)
            else:
                result[name] = merged(result.get(name), value)
        return result

    states = [shown(given) for given, _ in CASES.values()]
    for before in [*states, {}, {"phase": 7, "samples": "many", "edges": None, "x": {"y": 1}}]:
        for after in states:
            assert merged(before, status_patch(after, before)) == after


@pytest.mark.parametrize("junk", [None, 7, "x", [], {}, {"conditions": 3}, {"conditions": [3, {}, {"type": []}]}])
def test_junk_in_a_status_is_no_trouble(junk):
    assert written(job_status(facts(row()), Situation(generation=1), stored_status(body(junk)), NOW)) == shown(
        facts(row())
    )


def test_the_story_of_a_round_is_told_once():
    told = []
    before: object = None
    steps = [facts(row())]
    for stage, more in (
        (Stage.TRAINING, {}),
        (Stage.EVALUATING, {"candidate": 3}),
        (Stage.JUDGING, {"candidate": 3, "verdict": WORSE}),
    ):
        steps.append(facts(row(current=running(1, stage)), round_row(1, stage, **more)))
    ended = round_row(1, Stage.JUDGING, candidate=3, verdict=WORSE, outcome=Outcome.REJECTED, outcome_reason="no")
    for given in [*steps, facts(row(), ended)]:
        stored = stored_status(body(before))
        status = job_status(given, Situation(generation=1), stored, NOW)
        told += [one.reason for one in story_of(stored, status)]
        again = stored_status(body(written(status)))
        assert story_of(again, status) == []
        before = written(status)
    assert told == [
        "Ready",
        "RoundStarted",
        "TrainingComplete",
        "NotBetter",
        "RoundRejected",
    ]


def test_the_past_of_an_object_without_a_status_is_no_news():
    old = [round_row(number, Stage.JUDGING, outcome=Outcome.REJECTED, verdict=WORSE) for number in (9, 8)]
    status = job_status(facts(row(), *old), Situation(generation=1), Stored(), NOW)
    assert "RoundRejected" not in [one.reason for one in story_of(Stored(), status)]


def test_long_texts_are_cut():
    given = facts(row(degraded="x" * 5000), round_row(1, Stage.TRAINING, reason="y" * 5000))
    status = shown(given)
    assert max(len(one["message"]) for one in status["conditions"]) == 1024
    assert len(status["rounds"][0]["reason"]) == 300
    assert JobStatus.model_validate(status).phase == "Degraded"


def test_notes_of_tools_are_no_part_of_a_description():
    given = body()
    given["metadata"]["annotations"] = {
        "sedna.io/trigger": "train",
        "sedna.io/managed-by": "a/b",
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "team": "x",
    }
    assert metadata_of(given) == {"name": "boards", "namespace": "default", "uid": "u", "annotations": {"team": "x"}}


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("train", (RoundKind.TRAIN, None)),
        (" eval ", (RoundKind.EVAL, None)),
        ("deploy", (RoundKind.DEPLOY, None)),
        ("deploy=12", (RoundKind.DEPLOY, 12)),
    ],
)
def test_what_an_annotation_asks_for(value, wanted):
    wish = Ask(value=value, reason="", id="1").wish()
    assert (wish.action, wish.version) == wanted
    assert wish.reason == "annotation sedna.io/trigger"


@pytest.mark.parametrize("value", ["", "Train", "deploy=", "deploy=-1", "deploy=1.5", "eval=2", "train;eval"])
def test_what_asks_for_nothing(value):
    with pytest.raises(SpecError, match="deploy=VERSION"):
        Ask(value=value, reason="", id="1").wish()
