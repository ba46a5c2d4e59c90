"""Rounds asked for by annotation."""

import contextlib

import pytest

from globalmanager.cluster.api import ClusterUnavailableError
from globalmanager.cluster.kinds import JOBS
from globalmanager.db import requests


@pytest.fixture
def ready(there):
    there.apply_all()
    there.step(3)
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
