"""A model and the code that made it: whatever becomes of the file, each is judged by its own version."""

import hashlib
import json

import pytest

from fixtures_gm import KEY, job_spec
from globalmanager.db import requests
from sedna.common.types import JobKey
from sedna.core.staging.order import load_order
from sedna.loop.observation import ManualRequest
from sedna.loop.state import RoundKind
from sedna.store.layout import model_manifest_key, model_module_key
from sedna.store.models import load_manifest


class Author:
    """Who edits the file of a job."""

    def __init__(self, world):
        self.world = world
        self.path = world.folder / "mine.py"

    def write(self, text):
        self.path.write_text(text)
        return hashlib.sha256(text.encode()).hexdigest()

    def spec(self, **changes):
        spec = job_spec()
        spec["trainSpec"]["trigger"]["condition"]["threshold"] = 1000
        spec["trainSpec"]["algorithm"] = {"name": "twin", "module": str(self.path), "parameters": {"depth": 2}}
        return spec | changes

    def ask(self, action, **parameters):
        wish = ManualRequest(id="", action=action, reason="test", parameters=parameters)
        with self.world.db.write() as session:
            requests.add(session, self.world.job(), wish, self.world.clock.now())
        number = self.world.job().state.next_round
        self.world.until(lambda job: job.state.current is None and job.state.next_round > number)
        return self.world.trainer.runs[-1]


@pytest.fixture
def author(world):
    made = Author(world)
    made.first = made.write("VERSION = 1\n")
    world.apply(made.spec())
    world.samples(8)
    world.tick()
    return made


def openers(run):
    return json.loads(run.env.get("MODEL_ALGORITHMS", "null"))


def test_a_model_keeps_the_file_that_made_it(world, author):
    author.ask(RoundKind.TRAIN)
    second = author.write("VERSION = 2\n")
    author.ask(RoundKind.TRAIN)
    for version, sha256, text in ((1, author.first, b"VERSION = 1\n"), (2, author.first, None), (3, second, None)):
        module = load_manifest(world.store, KEY, version).module
        assert (module.name, module.sha256) == ("mine.py", sha256)
        stored = world.store.get(model_module_key(KEY, version, sha256, "mine.py"))
        assert hashlib.sha256(stored).hexdigest() == sha256
        assert text in (None, stored)


def test_candidate_and_champion_are_judged_by_their_own_versions(world, author):
    evaluation = author.ask(RoundKind.TRAIN)
    assert openers(evaluation) is None, "both are of the same version"
    assert evaluation.env["ALGORITHM_MODULE_SHA256"] == author.first
    second = author.write("VERSION = 2\n")
    evaluation = author.ask(RoundKind.TRAIN)
    assert evaluation.env["ALGORITHM_MODULE_SHA256"] == second
    nothing, champion = openers(evaluation)
    assert (nothing, champion["name"], champion["sha256"]) == (None, "twin", author.first)
    assert champion["neighbours"] == str(world.folder)
    order = load_order(world.store.get(world.runtime.specs[evaluation.name].order.key), "")
    inputs = set(order.inputs(world.store))
    assert model_module_key(KEY, 2, author.first, "mine.py") in inputs, "its token opens it"


def test_an_evaluation_asked_for_later_takes_the_version_of_the_candidate_and_not_the_present_file(world, author):
    world.trainer.gain = -1.0  # never deployed, so that it can be looked at again
    author.ask(RoundKind.TRAIN)
    author.write("VERSION = 9\n")
    evaluation = author.ask(RoundKind.EVAL)
    assert (evaluation.kind, evaluation.env["ALGORITHM_MODULE_SHA256"]) == ("eval", author.first)
    assert openers(evaluation) is None
    author.path.unlink()
    assert author.ask(RoundKind.EVAL).env["ALGORITHM_MODULE_SHA256"] == author.first, "the file itself is not needed"


def test_a_model_is_opened_with_its_own_parameters(world, author):
    author.ask(RoundKind.TRAIN, depth=5)
    evaluation = author.ask(RoundKind.TRAIN, depth=7)
    assert json.loads(evaluation.env["ALGORITHM_PARAMETERS"]) == {"depth": 7}
    assert openers(evaluation)[1]["parameters"] == {"depth": 5}


def test_a_class_that_was_renamed_is_the_business_of_the_next_model(world, author):
    author.ask(RoundKind.TRAIN)
    author.write("VERSION = 2\n")
    spec = author.spec()
    spec["trainSpec"]["algorithm"]["name"] = "renamed"
    world.apply(spec)
    evaluation = author.ask(RoundKind.TRAIN)
    assert evaluation.env["ALGORITHM"] == "renamed"
    assert openers(evaluation)[1]["name"] == "twin"


def test_a_model_without_a_noted_version_is_judged_by_the_present_file(world, author):
    author.ask(RoundKind.TRAIN)
    for version in (1, 2):  # as they were before versions were noted
        key = model_manifest_key(KEY, version)
        old = load_manifest(world.store, KEY, version).model_copy(update={"module": None})
        world.store.put(key, old.to_bytes())
    second = author.write("VERSION = 2\n")
    evaluation = author.ask(RoundKind.TRAIN)
    assert evaluation.env["ALGORITHM_MODULE_SHA256"] == second
    assert openers(evaluation) is None, "as it was"


def test_an_evaluator_of_its_own_keeps_its_own_file(world, author):
    judge = world.folder / "judge.py"
    judge.write_text("JUDGE = True\n")
    spec = author.spec(evalSpec={"algorithm": {"name": "judge", "module": str(judge)}})
    world.apply(spec)
    evaluation = author.ask(RoundKind.TRAIN)
    assert evaluation.env["ALGORITHM_MODULE_SHA256"] == hashlib.sha256(judge.read_bytes()).hexdigest()
    assert openers(evaluation) is None
    assert load_manifest(world.store, KEY, 2).module.name == "mine.py"


def test_an_order_of_an_earlier_release_is_read(world, author):
    author.ask(RoundKind.TRAIN)
    train = next(run for run in world.trainer.runs if run.kind == "train")
    body = json.loads(world.runtime.specs[train.name].order.model_dump_json())
    for model in body["models"]:
        assert model.pop("algorithm", None) is None
        model.pop("module", None)
    order = load_order(json.dumps(body).encode(), "")
    assert (order.job, order.module.sha256) == (JobKey(name="boards"), author.first)
