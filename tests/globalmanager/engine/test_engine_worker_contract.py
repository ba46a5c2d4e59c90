"""What workers written for upstream are given and what they answer, held to one real run of upstream's controllers."""

from pathlib import Path

import pytest

from fixtures_gm import KEY
from globalmanager.db import workers
from globalmanager.engine.apply import apply_resources
from globalmanager.runtimes.base import RunPhase, WorkerStatus
from sedna.common.file_ops import FileOps
from sedna.common.picture_limits import BITS_VARIABLE
from sedna.core.staging.command import command_of
from sedna.loop.spec import Model
from sedna.loop.state import Outcome
from sedna.store.models import load_manifest

UPSTREAM = {
    "train": {
        "batch_size",
        "DATA_PATH_PREFIX",
        "ORIGINAL_DATASET_URL",
        "NAMESPACE",
        "JOB_NAME",
        "WORKER_NAME",
        "LC_SERVER",
        "BASE_MODEL_URL",
        "MODEL_URL",
        "TRAIN_DATASET_URL",
    },
    "eval": {
        "batch_size",
        "DATA_PATH_PREFIX",
        "ORIGINAL_DATASET_URL",
        "NAMESPACE",
        "JOB_NAME",
        "WORKER_NAME",
        "LC_SERVER",
        "MODEL_URLS",
        "TEST_DATASET_URL",
    },
}
"""Variables of the containers that upstream made for the job below, ``batch_size`` among them from its template."""

OURS = {"train": {"REPORT_PATH", "PROGRESS_PATH", "CHECKPOINT_DIR"}, "eval": {"REPORT_PATH", "PROGRESS_PATH"}}

HELPER = {"LC_SERVER"}
"""Of upstream's variables, what only the running worker can know: where its helper listens (tests/core/staging)."""


def upstream_spec():
    """The job of that run: pod templates, upstream's triggers, no field of ours."""

    def template(program):
        container = {"name": program, "image": "img", "args": [f"{program}.py"], "resources": {}}
        container["env"] = [{"name": "batch_size", "value": "32"}]
        return {"metadata": {"creationTimestamp": None}, "spec": {"containers": [container], "nodeName": "edge1"}}

    condition = {"operator": ">", "threshold": 4, "metric": "num_of_samples"}
    better = {"operator": ">", "threshold": 0.1, "metric": "precision_delta"}
    mining = {"name": "IBT", "parameters": [{"key": "threshold_img", "value": "0.9"}]}
    return {
        "dataset": {"name": "stream", "trainProb": 0.8},
        "initialModel": {"name": "first"},
        "trainSpec": {
            "template": template("train"),
            "trigger": {"checkPeriodSeconds": 1, "condition": condition},
        },
        "evalSpec": {"template": template("eval")},
        "deploySpec": {
            "template": template("infer"),
            "model": {"name": "first"},
            "trigger": {"condition": better},
            "hardExampleMining": mining,
        },
        "outputDir": "/output",
    }


class UpstreamWorker:
    """Does what the workers of that run did: they know nothing of REPORT_PATH and report to the local controller."""

    def __init__(self, world, precision):
        self.world, self.precision = world, precision
        self.runs, self.results = {}, {}

    def __call__(self, spec, desk):
        kind = spec.order.kind
        self.runs[kind] = command_of(spec.order, "/python", desk.folder.root)
        env = self.runs[kind].env
        self.results[kind] = self._train(env) if kind == "train" else self._evaluate(env)
        body = {
            "name": env["WORKER_NAME"],
            "namespace": env["NAMESPACE"],
            "ownerName": env["JOB_NAME"],
            "ownerKind": "incrementallearningjob",
            "kind": kind,
            "status": "completed",
            "results": self.results[kind],
        }
        desk.report(body)
        return WorkerStatus(phase=RunPhase.SUCCEEDED, exit_code=0)

    def _train(self, env):
        assert Path(env["MODEL_URL"]).is_dir()
        model = Path(env["MODEL_URL"]) / "model.pb"
        model.write_text("weights")
        return [self._entry(model, env, {"loss": 0.5})]

    def _evaluate(self, env):
        found = zip(env["MODEL_URLS"].split(";"), self.precision, strict=True)
        return [self._entry(url, env, {"precision": [figure]}) for url, figure in found]

    @staticmethod
    def _entry(url, env, metrics):
        assert Path(url).is_file()
        return {
            "format": "pb",
            "url": FileOps.remove_path_prefix(str(url), env["DATA_PATH_PREFIX"]),
            "metrics": metrics,
        }


@pytest.fixture
def run(world):
    def start(*precision, **changes):
        worker = UpstreamWorker(world, precision)
        world.runtime = world.twins(worker)
        world.apply({**upstream_spec(), **changes})
        world.samples(10)
        world.until(lambda job: job.state.current is None and job.state.next_round == 2)
        return worker

    return start


@pytest.mark.parametrize("kind", ["train", "eval"])
def test_a_template_gets_upstreams_variables_by_name(run, kind):
    command = run(0.9, 0.5).runs[kind]
    assert command.argv == ("/python", f"{kind}.py")
    assert set(command.env) == UPSTREAM[kind] - HELPER | OURS[kind]
    assert command.env["batch_size"] == "32"
    assert command.env["NAMESPACE"] == "default"
    assert command.env["JOB_NAME"] == KEY.name
    assert command.env["WORKER_NAME"].startswith(f"{kind}-worker-")


def test_their_values_are_paths_that_a_process_can_use_as_they_are(run):
    runs = run(0.9, 0.5).runs
    train, evaluate = runs["train"].env, runs["eval"].env
    assert Path(train["MODEL_URL"]).is_absolute()  # that it is a folder, the worker has seen
    assert Path(train["BASE_MODEL_URL"]).is_file()
    assert len(Path(train["TRAIN_DATASET_URL"]).read_text().splitlines()) == 8
    assert len(Path(evaluate["TEST_DATASET_URL"]).read_text().splitlines()) == 2
    candidate, champion = evaluate["MODEL_URLS"].split(";")
    assert Path(candidate).name == "model.pb"
    assert Path(champion).read_bytes() == Path(train["BASE_MODEL_URL"]).read_bytes()
    for env, index in ((train, "TRAIN_DATASET_URL"), (evaluate, "TEST_DATASET_URL")):
        folder = Path(env["ORIGINAL_DATASET_URL"]).parent
        assert all((folder / line.split()[0]).is_file() for line in Path(env[index]).read_text().splitlines())


@pytest.mark.parametrize("path", ["/home/data/output/model.pb", "/srv/sedna/model.pb"])
def test_no_path_is_shortened_not_even_below_upstreams_mount(run, path):
    runs = run(0.9, 0.5).runs
    assert len(runs) > 1
    for command in runs.values():
        assert FileOps.remove_path_prefix(path, command.env["DATA_PATH_PREFIX"]) == path


def test_class_names_come_from_the_job_or_not_at_all(run):
    runs = run(0.9, 0.5, classNames=["open", "short"]).runs
    assert {command.env["CLASS_NAMES"] for command in runs.values()} == {'["open", "short"]'}


@pytest.mark.parametrize(("pictures", "bits"), [({"bitsPerSample": 12}, "12"), ({}, None)])
def test_every_worker_reads_pictures_by_the_depth_that_the_job_declares(run, pictures, bits):
    runs = run(0.9, 0.5, pictures=pictures).runs
    assert {command.env.get(BITS_VARIABLE) for command in runs.values()} == {bits}


@pytest.mark.parametrize(
    ("precision", "outcome", "champion"),
    [((0.9, 0.5), Outcome.DEPLOYED, 2), ((0.55, 0.5), Outcome.REJECTED, 1)],
    ids=["better", "not better enough"],
)
def test_upstreams_reports_move_a_round(world, run, precision, outcome, champion):
    worker = run(*precision)
    found = world.round(1)
    assert found.outcome is outcome, found.outcome_reason
    assert world.job().state.champion == champion
    assert found.candidate == 2
    assert found.evaluation.candidate.metrics["precision"] == (precision[0],)
    assert found.evaluation.champion.metrics["precision"] == (precision[1],)
    with world.db.read() as session:
        rows = {row.stage: row for row in workers.of_round(session, world.job().id, 1)}
    assert [row.report["results"] for row in rows.values()] == [worker.results["train"], worker.results["eval"]]
    assert world.events("StrayReport") == []


class TensorFlowWorker(UpstreamWorker):
    """Upstream's TensorFlow back end reports two forms of one model: the graph to serve, the folder to train on."""

    def _train(self, env):
        self.started = [*getattr(self, "started", []), env["BASE_MODEL_URL"]]
        (Path(env["MODEL_URL"]) / "checkpoint").write_text("weights")
        results = super()._train(env)
        return [*results, {"format": "ckpt", "url": env["MODEL_URL"], "metrics": None}]


def models_of(world, **urls):
    for name, (url, form) in urls.items():
        path = world.folder / url
        file = path / "checkpoint" if form == "ckpt" else path
        file.parent.mkdir(exist_ok=True)
        file.write_text(name)
        described = {"metadata": {"name": name}, "spec": {"url": str(path), "format": form}}
        apply_resources(world.db, [Model.model_validate(described)], world.clock.now())


def test_upstreams_three_models_are_told_apart(world):
    """helmet_detection: training starts from a checkpoint folder, a frozen graph is in service."""
    models_of(world, start=("base", "ckpt"), served=("served.pb", "pb"), judge=("judge.pb", "pb"))
    spec = upstream_spec()
    spec["initialModel"], spec["deploySpec"]["model"] = {"name": "start"}, {"name": "served"}
    spec["evalSpec"]["initialEvalModel"] = {"name": "judge"}
    worker = TensorFlowWorker(world, (0.9, 0.5))
    world.runtime = world.twins(worker)
    world.apply(spec)
    asked = []
    for number in (2, 3):
        world.samples(10)
        world.until(lambda job, number=number: job.state.champion == number)
        asked.append(worker.runs["eval"].env["MODEL_URLS"].split(";"))
    first = load_manifest(world.store, KEY, 1)
    assert [file.name for file in first.files] == ["served.pb"], "edges serve what upstream serves"
    assert (Path(worker.started[0]) / "checkpoint").read_text() == "start"
    assert (Path(worker.started[1]) / "checkpoint").read_text() == "weights", "the folder, not the frozen graph"
    assert load_manifest(world.store, KEY, 2).entries == {"pb": "model.pb", "ckpt": ""}
    assert [Path(url).name for url in asked[0]] == ["model.pb", "judge.pb"]
    assert [Path(url).name for url in asked[1]] == ["model.pb", "model.pb"], "then what is in service"


@pytest.mark.parametrize("named", [False, True], ids=["no workingDir", "workingDir"])
def test_the_failure_of_a_program_that_no_image_places_says_so(world, named):
    """Images set WORKDIR, and upstream's descriptions rely on it; a process has none, and finds no train.py."""

    def not_found(_spec, _desk):
        return WorkerStatus(phase=RunPhase.FAILED, exit_code=2, reason="it ended with exit code 2")

    spec = upstream_spec()
    if named:
        spec["trainSpec"]["template"]["spec"]["containers"][0]["workingDir"] = "/code"
    world.runtime = world.twins(not_found)
    world.apply(spec)
    world.samples(10)
    world.until(lambda job: job.state.current is None and job.state.next_round == 2)
    assert ("gives no workingDir" in world.round(1).outcome_reason) is not named
