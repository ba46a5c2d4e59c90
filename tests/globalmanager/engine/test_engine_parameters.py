"""The parameters of a user's algorithm: the same for the training, for those who judge it, and for the edges."""

import json

from fixtures_gm import KEY, job_spec
from globalmanager.db import requests
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind
from sedna.store.models import load_manifest


def quiet(**changes):
    spec = job_spec()
    spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
    spec["trainSpec"]["algorithm"]["parameters"].update(changes)
    return spec


def ask(world, action, **parameters):
    wish = ManualRequest(id="", action=action, reason="test", parameters=parameters)
    with world.db.write() as session:
        requests.add(session, world.job(), wish, world.clock.now())
    number = world.job().state.next_round
    world.until(lambda job: job.state.current is None and job.state.next_round > number)


def given(run):
    return json.loads(run.env["ALGORITHM_PARAMETERS"])


def test_a_model_records_what_it_was_trained_with(world):
    world.apply(quiet(width=8))
    world.samples(8)
    world.tick()
    assert load_manifest(world.store, KEY, 1).parameters == {"depth": 2, "width": 8}
    ask(world, RoundKind.TRAIN, depth=9)
    manifest = load_manifest(world.store, KEY, 2)
    assert (manifest.algorithm, manifest.parameters) == ("twin", {"depth": 9, "width": 8})


def test_a_candidate_is_judged_with_its_own_parameters_also_later(world):
    world.apply(quiet())
    world.samples(8)
    world.tick()
    world.trainer.gain = -1.0  # never deployed, so that it can be looked at again
    ask(world, RoundKind.TRAIN, depth=9)
    ask(world, RoundKind.EVAL)
    assert [(run.kind, given(run)) for run in world.trainer.runs] == [
        ("train", {"depth": 9}),
        ("eval", {"depth": 9}),
        ("eval", {"depth": 9}),
    ]


def test_an_evaluation_algorithm_of_its_own_keeps_its_own_parameters(world):
    spec = quiet()
    spec["evalSpec"] = {"algorithm": {"name": "twin", "parameters": {"threshold": 0.5}}}
    world.apply(spec)
    world.samples(8)
    world.tick()
    ask(world, RoundKind.TRAIN)
    assert [given(run) for run in world.trainer.runs] == [{"depth": 2}, {"threshold": 0.5}]


def test_a_job_that_is_edited_while_its_worker_runs_does_not_change_what_the_model_records(world):
    world.apply(quiet())
    world.samples(8)
    world.tick()
    world.runtime.held = True
    with world.db.write() as session:
        requests.add(
            session, world.job(), ManualRequest(id="", action=RoundKind.TRAIN, reason="test"), world.clock.now()
        )
    world.until(lambda job: bool(world.runtime.specs))
    world.apply(quiet(depth=77))
    world.tick(2)
    world.crash()
    world.tick(1)
    world.runtime.held = False
    world.runtime.let_go()
    world.until(lambda job: job.state.last_candidate == 2)
    (train,) = (run for run in world.trainer.runs if run.kind == "train")
    assert given(train) == {"depth": 2}
    assert load_manifest(world.store, KEY, 2).parameters == {"depth": 2}
