"""Rounds asked for by annotation."""

import contextlib

import pytest

from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import JOBS
from globalmanager.db import requests
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind


@pytest.fixture
def ready(there):
    there.ready()
    there.world.samples(2)
    return there


def asked(there):
    with there.world.db.read() as session:
        return requests.list_recent(session, there.world.job())


def test_a_training_is_asked_for_and_answered(ready):
    ready.annotate(trigger="train", trigger_reason="new boards")
    ready.until(lambda: ready.status().get("manualTrigger", {}).get("state") == "accepted")
    answer = ready.status()["manualTrigger"]
    assert (answer["value"], answer["round"]) == ("train", 1)
    assert ready.annotations() == {"sedna.io/managed-by": "sedna/sedna"}
    (request,) = asked(ready)
    assert request.reason == "new boards"
    assert "TriggerAccepted" in ready.told()
    ready.until(lambda: ready.shown("Deployed") == ("True", "Deployed"))
    assert ready.status()["rounds"][0]["reason"] == "asked for: new boards"


def test_a_model_is_promoted(ready):
    ready.annotate(trigger="train")
    ready.until(lambda: ready.shown("Deployed") == ("True", "Deployed"))
    ready.annotate(trigger="deploy=1")
    ready.until(lambda: ready.status()["model"] == 1)
    assert ready.status()["manualTrigger"]["value"] == "deploy=1"
    assert ready.shown("Deployed") == ("True", "Deployed")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("trian", "train, eval, deploy, or deploy=VERSION"),
        ("train=3", "train, eval, deploy, or deploy=VERSION"),
        ("deploy=99", "there is no model version 99"),
        ("", "asks for nothing"),
    ],
)
def test_what_cannot_be_is_refused_and_stays_refused(ready, value, words):
    ready.annotate(trigger=value)
    ready.step(2)
    answer = ready.status()["manualTrigger"]
    assert answer["state"] == "refused"
    assert words in answer["message"]
    assert "sedna.io/trigger" not in ready.annotations()
    assert asked(ready) == ()
    ready.restart()
    ready.step(5)
    assert ready.status()["manualTrigger"] == answer
    assert ready.told().count("TriggerRefused") == 1


def test_a_later_request_replaces_a_refusal(ready):
    ready.annotate(trigger="trian")
    ready.step(2)
    ready.annotate(trigger="train")
    ready.until(lambda: ready.status()["manualTrigger"]["state"] == "accepted")


def test_the_same_again_is_another_round(ready):
    for number in (1, 2):
        ready.annotate(trigger="train")
        ready.until(lambda number=number: ready.status().get("round") == number)
        ready.until(lambda: ready.status()["phase"] == "Waiting")
        ready.world.samples(1)
    assert len(asked(ready)) == 2


def test_a_job_that_is_not_taken_in_keeps_the_request(there):
    there.apply_job()
    there.annotate(trigger="train")
    there.step(2)
    assert there.status()["manualTrigger"]["state"] == "pending"
    assert there.annotations()["sedna.io/trigger"] == "train"
    there.apply_dataset()
    there.apply_model()
    there.step(3)
    assert there.status()["manualTrigger"]["state"] == "refused", "no sample is labelled"
    assert "sedna.io/trigger" not in there.annotations()


@pytest.mark.parametrize("survived", range(8))
def test_a_crash_after_any_request_asks_once(ready, survived):
    left = survived

    def fail(verb, *_):
        nonlocal left
        if verb in ("create", "merge", "patch"):
            if left == 0:
                raise KeyboardInterrupt
            left -= 1

    ready.annotate(trigger="train")
    ready.cluster.fail = fail
    with contextlib.suppress(KeyboardInterrupt):
        ready.step(2)
    ready.cluster.fail = lambda *_: None
    ready.restart()
    ready.until(lambda: ready.status().get("round") == 1)
    ready.step(10)
    assert len(asked(ready)) == 1
    assert "sedna.io/trigger" not in ready.annotations()


def test_a_request_that_is_overwritten_while_it_is_stored_is_not_lost(ready):
    overwritten = False

    def fail(verb, kind, namespace, name):
        nonlocal overwritten
        if verb == "merge" and kind == JOBS and len(asked(ready)) == 1 and not overwritten:
            overwritten = True
            ready.cluster.fail = lambda *_: None
            ready.annotate(trigger="eval")
            ready.cluster.fail = fail
            raise ClusterUnavailableError("connection refused")

    ready.cluster.fail = fail
    ready.annotate(trigger="train")
    ready.until(lambda: overwritten)
    ready.until(lambda: len(asked(ready)) == 2)
    assert {request.action.value for request in asked(ready)} == {"train", "eval"}


# --- conditions from the asking on -----------------------------------------------------------------------------------

ASKED = "TriggerPending"


@pytest.fixture
def deployed(ready):
    """Its first round is over, and well."""
    ready.world.samples(10)
    ready.until(lambda: ready.shown("Deployed") == ("True", "Deployed"))
    ready.step(2)
    return ready


def every_shown(there):
    return [there.shown(name) for name in ("TrainingComplete", "EvaluationPassed", "Deployed")]


def test_who_asks_and_waits_for_the_deployment_waits_for_the_round_that_was_asked_for(deployed):
    before = deployed.condition("Deployed")["lastTransitionTime"]
    deployed.world.runtime.held = True
    deployed.world.samples(1)
    deployed.annotate(trigger="train")
    deployed.drain()  # the engine has not looked yet
    assert every_shown(deployed) == [("Unknown", ASKED), ("Unknown", ASKED), ("False", ASKED)]
    assert "train is asked for and has not begun; before: round 1" in deployed.condition("Deployed")["message"]
    assert deployed.status()["manualTrigger"]["state"] == "pending"
    assert "sedna.io/trigger" not in deployed.annotations()
    seen = []

    def follow():
        seen.append(deployed.shown("Deployed"))
        return seen[-1] == ("False", "Training")

    deployed.until(follow)
    assert ("True", "Deployed") not in seen
    deployed.world.runtime.held = False
    deployed.world.runtime.let_go()
    deployed.until(lambda: deployed.shown("Deployed")[0] == "True")
    assert deployed.condition("Deployed")["message"].startswith("round 2 ")
    assert deployed.condition("Deployed")["lastTransitionTime"] > before


def test_a_look_again_that_was_asked_for_counts_until_its_end(deployed):
    deployed.world.trainer.gain = -1.0
    deployed.world.samples(10)
    deployed.until(lambda: deployed.shown("Deployed") == ("False", "Rejected"))
    deployed.annotate(trigger="eval")
    deployed.drain()
    assert every_shown(deployed) == [("True", "Trained"), ("Unknown", ASKED), ("False", ASKED)]
    deployed.world.runtime.held = True
    deployed.until(lambda: deployed.shown("EvaluationPassed") == ("Unknown", "Evaluating"))
    assert deployed.shown("Deployed") == ("False", "Evaluating")
    deployed.world.runtime.held = False
    deployed.world.runtime.let_go()
    deployed.until(lambda: deployed.shown("Deployed") == ("False", "Rejected"))


def test_a_promotion_that_was_asked_for_is_not_there_before_it_is(deployed):
    deployed.annotate(trigger="deploy=1")
    deployed.drain()
    assert every_shown(deployed) == [("True", "Trained"), ("True", "Better"), ("False", ASKED)]
    deployed.until(lambda: deployed.shown("Deployed") == ("True", "Deployed"))
    assert deployed.status()["model"] == 1
    assert "put model 1 into service" in deployed.condition("Deployed")["message"]


@pytest.mark.parametrize("value", ["trian", "deploy=99"])
def test_what_cannot_be_asked_for_changes_no_condition(deployed, value):
    before = deployed.status()["conditions"]
    deployed.annotate(trigger=value)
    deployed.step(2)
    assert deployed.status()["manualTrigger"]["state"] == "refused"
    assert deployed.status()["conditions"] == before


def test_answered_without_a_round_it_is_as_it_was_and_told_once(deployed):
    before, told = every_shown(deployed), deployed.told()
    deployed.annotate(trigger="eval")  # the last candidate is in service
    deployed.drain()
    assert deployed.shown("Deployed") == ("False", ASKED)
    deployed.until(lambda: deployed.status()["manualTrigger"]["state"] == "refused")
    assert every_shown(deployed) == before
    assert deployed.told() == [*told, "TriggerRefused"]


def test_asked_for_over_rest_it_counts_as_well(deployed):
    wish = ManualRequest(id="", action=RoundKind.TRAIN, reason="r", requested_by="anna")
    with deployed.world.db.write() as session:
        requests.add(session, deployed.world.job(), wish, deployed.world.clock.now())
    deployed.cluster.merge(JOBS, "default", "boards", {"metadata": {"labels": {"look": "now"}}})
    deployed.drain()
    assert deployed.shown("Deployed") == ("False", ASKED)


def test_a_round_under_way_is_not_hidden_by_the_next_one_that_was_asked_for(deployed):
    deployed.world.runtime.held = True
    deployed.world.samples(10)
    deployed.until(lambda: deployed.shown("Deployed") == ("False", "Training"))
    deployed.annotate(trigger="train")
    deployed.step(2)
    assert every_shown(deployed) == [("Unknown", "Training"), ("Unknown", "Training"), ("False", "Training")]
