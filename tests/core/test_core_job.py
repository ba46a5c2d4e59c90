import json
from pathlib import Path

import numpy as np
import pytest

from sedna.algorithms.hard_example_mining import IBTFilter, RandomFilter
from sedna.common.class_factory import ClassFactory, ClassType, UnknownClassError
from sedna.common.errors import DataError, LinkUnavailableError, ModelError, NotFoundError, PermanentError, SpecError
from sedna.core.base import JobBase
from sedna.core.incremental_learning import IncrementalLearning

WORKER = {
    "NAMESPACE": "factory",
    "JOB_NAME": "pcb",
    "WORKER_NAME": "train-worker-abcde",
    "DATA_PATH_PREFIX": "/nowhere",
}


class Estimator:
    """One number: the score of every box it predicts."""

    score = 0.0

    def train(self, train_data, valid_data=None, epochs=1, **kwargs):
        if not train_data:
            raise DataError("no samples", where="train_data")
        self.score = float(np.mean(train_data))
        return {"loss": np.float32(0.25), "epochs": np.int64(epochs), "curve": np.array([1.0, np.nan])}

    def predict(self, data, offset=0.0):
        return [[0, 0, 1, 1, self.score + offset, 1] for _ in data]

    def evaluate(self, data, model_path=None):
        if model_path:
            self.load(model_path)
        return {"precision": [self.score], "per_sample": [{"sample": "a", "tp": [1]}]}

    def save(self, model_path):
        Path(model_path).write_text(str(self.score))

    def load(self, model_url):
        self.score = float(Path(model_url).read_text())


def only(reports):
    assert len(reports) == 1
    return reports[0]


def test_train_saves_and_reports_exactly_this(worker_env, lc, tmp_path):
    output = tmp_path / "home" / "data" / "output" / "train" / "1"
    worker_env(**WORKER | {"DATA_PATH_PREFIX": tmp_path / "home" / "data"}, LC_SERVER=lc.url, MODEL_URL=output)
    job = IncrementalLearning(estimator=Estimator)
    assert job.train([0.25, 0.75], epochs=3) is job.estimator
    assert (output / "model_finetune_.pkl").read_text() == "0.5"
    assert lc.paths == ["/sedna/workers/train-worker-abcde/info"]
    assert only(lc.reports) == {
        "name": "train-worker-abcde",
        "namespace": "factory",
        "ownerName": "pcb",
        "ownerKind": "incrementallearningjob",
        "kind": "train",
        "status": "completed",
        "results": [
            {
                "format": "pkl",
                "url": "/output/train/1/model_finetune_.pkl",
                "metrics": {"loss": 0.25, "epochs": 3, "curve": [1.0, None]},
            }
        ],
    }


def test_evaluate_measures_every_model_in_order(worker_env, lc, tmp_path):
    for name, score in (("new", "0.75"), ("old", "0.5")):
        (tmp_path / f"{name}.pb").write_text(score)
    urls = f"{tmp_path / 'new.pb'};{tmp_path / 'old.pb'};"
    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URLS=urls)
    found = IncrementalLearning(Estimator).evaluate(["a"])
    assert [(one["format"], one["url"], one["metrics"]["precision"]) for one in found] == [
        ("pb", str(tmp_path / "new.pb"), [0.75]),
        ("pb", str(tmp_path / "old.pb"), [0.5]),
    ]
    report = only(lc.reports)
    assert (report["kind"], report["status"]) == ("eval", "completed")
    assert report["results"] == found
    assert report["results"][0]["metrics"]["per_sample"] == [{"sample": "a", "tp": [1]}]


def test_evaluate_with_a_call_back_and_one_model(worker_env, tmp_path):
    (tmp_path / "m.pb").write_text("0.75")
    worker_env(**WORKER, MODEL_URL=tmp_path / "m.pb")
    job = IncrementalLearning(Estimator)
    found = job.evaluate(["a"], post_process=lambda figures: figures["precision"][0])
    assert found == [{"format": "pb", "url": str(tmp_path / "m.pb"), "metrics": 0.75}]


def test_tensorflow_reports_the_checkpoint_folder_too(worker_env, lc, tmp_path):
    worker_env(**WORKER | {"BACKEND_TYPE": "TENSORFLOW"}, LC_SERVER=lc.url, MODEL_URL=tmp_path / "1")
    IncrementalLearning(Estimator).train([1.0])
    assert [(one["format"], one["url"]) for one in only(lc.reports)["results"]] == [
        ("pb", f"{tmp_path}/1/model_finetune_tensorflow.pb"),
        ("ckpt", f"{tmp_path}/1"),
    ]


def test_a_failed_training_is_reported_and_raised(worker_env, lc, tmp_path):
    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URL=tmp_path)
    job = IncrementalLearning(Estimator)
    with pytest.raises(DataError) as caught:
        job.train([])
    report = only(lc.reports)
    assert (report["kind"], report["status"]) == ("train", "failed")
    assert "results" not in report
    assert report["ownerInfo"] == {
        "error": {"kind": "user", "type": "DataError", "message": "train_data: no samples"},
    }
    assert job.reported_failure is caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("broken"), "permanent"),
        (ModelError("broken"), "permanent"),
        (LinkUnavailableError("broken"), "temporary"),
        (OSError(28, "No space left"), "temporary"),
        (OSError(5, "I/O"), "permanent"),
    ],
)
def test_a_failed_evaluation_is_reported_with_its_kind(worker_env, lc, error, kind):
    class Broken(Estimator):
        def evaluate(self, data, model_path=None):
            raise error

    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URLS="/a;/b")
    with pytest.raises(type(error)):
        IncrementalLearning(Broken).evaluate(["a"])
    report = only(lc.reports)
    assert (report["kind"], report["status"]) == ("eval", "failed")
    assert report["ownerInfo"]["error"]["kind"] == kind


def test_a_model_that_was_not_saved_is_a_failure(worker_env, lc, tmp_path):
    class Silent(Estimator):
        def save(self, model_path):
            pass

    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URL=tmp_path)
    with pytest.raises(ModelError, match="wrote nothing"):
        IncrementalLearning(Silent).train([1.0])
    assert only(lc.reports)["status"] == "failed"


def test_a_result_without_a_json_form_is_a_failure_not_a_lost_report(worker_env, lc, tmp_path):
    class Odd(Estimator):
        def train(self, train_data, **kwargs):
            return {"loss": object()}

    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URL=tmp_path)
    with pytest.raises(DataError, match=r"report\.results\[0\]\.metrics\.loss"):
        IncrementalLearning(Odd).train([1.0])
    assert only(lc.reports)["status"] == "failed"


def test_the_report_file_holds_the_last_report(worker_env, lc, tmp_path):
    path = tmp_path / "new" / "report.json"
    worker_env(**WORKER, LC_SERVER=lc.url, REPORT_PATH=path, MODEL_URL=tmp_path / "1")
    IncrementalLearning(Estimator).train([1.0])
    assert json.loads(path.read_bytes()) == only(lc.reports)


def test_a_report_that_reaches_nobody_raises(worker_env, lc, tmp_path):
    worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URL=tmp_path)
    lc.statuses = [400, 400]
    with pytest.raises(PermanentError, match="status 400"):
        IncrementalLearning(Estimator).train([1.0])
    assert lc.reports == []


def test_a_report_in_the_file_survives_a_local_controller_that_refuses(worker_env, lc, tmp_path):
    worker_env(**WORKER, LC_SERVER=lc.url, REPORT_PATH=tmp_path / "report.json", MODEL_URL=tmp_path)
    lc.statuses = [400]
    IncrementalLearning(Estimator).train([1.0])
    assert json.loads((tmp_path / "report.json").read_bytes())["status"] == "completed"


def test_without_a_platform_nothing_is_sent(worker_env, tmp_path):
    worker_env(MODEL_URL=tmp_path)
    job = IncrementalLearning(Estimator)
    job.train([1.0])
    assert job.job_name == "sedna"
    assert job.worker_name.startswith("sedna-")
    assert IncrementalLearning(Estimator).worker_name != job.worker_name


def test_inference_gives_three_things(worker_env, tmp_path):
    (tmp_path / "deploy.pb").write_text("0.5")
    worker_env(
        MODEL_URL=tmp_path / "deploy.pb",
        HEM_NAME="IBT",
        HEM_PARAMETERS='[{"key":"threshold_img","value":"0.9"},{"key":"threshold_box","value":"0.9"}]',
    )
    job = IncrementalLearning(estimator=Estimator)
    assert isinstance(job.hard_example_mining_algorithm, IBTFilter)

    def spoil(boxes):
        boxes[0][4] = 0.1
        return boxes

    raw, processed, hard = job.inference(["frame"], post_process=spoil, offset=0.25, unknown="dropped")
    assert raw == [[0, 0, 1, 1, 0.75, 1]]
    assert processed == [[0, 0, 1, 1, 0.1, 1]]
    assert hard is True
    assert job.inference(data=["frame"], offset=0.45)[2] is False


def test_inference_after_training_uses_what_was_trained(worker_env, tmp_path):
    worker_env(MODEL_URL=tmp_path)
    job = IncrementalLearning(Estimator)
    job.train([0.5])
    (tmp_path / "model_finetune_.pkl").unlink()
    assert job.inference(["x"]) == ([[0, 0, 1, 1, 0.5, 1]], [[0, 0, 1, 1, 0.5, 1]], False)


def test_inference_without_its_model_says_so(worker_env, tmp_path):
    worker_env(MODEL_URL=tmp_path / "none.pb")
    with pytest.raises(NotFoundError, match=r"none\.pb"):
        IncrementalLearning(Estimator).inference(["x"])
    worker_env(MODEL_URL="")
    with pytest.raises(SpecError, match="MODEL_URL"):
        IncrementalLearning(Estimator).inference(["x"])


def test_which_miner(worker_env):
    worker_env(HEM_NAME="Random", HEM_PARAMETERS='[{"key":"random_ratio","value":"0.9"}]')
    assert IncrementalLearning.get_hem_algorithm_from_config(random_ratio=0.3) == {
        "method": "Random",
        "param": {"random_ratio": 0.3},
    }
    assert IncrementalLearning(Estimator).hard_example_mining_algorithm.random_ratio == 0.9
    chosen = IncrementalLearning(Estimator, hard_example_mining={"method": "Random", "param": {"random_ratio": 0.1}})
    assert isinstance(chosen.hard_example_mining_algorithm, RandomFilter)
    assert chosen.hard_example_mining_algorithm.random_ratio == 0.1
    assert IncrementalLearning(Estimator, hard_example_mining={}).hard_example_mining_algorithm is None
    worker_env(HEM_NAME="")
    assert IncrementalLearning(Estimator).hard_example_mining_algorithm is None


@pytest.mark.parametrize(
    ("description", "kind"),
    [
        ({"method": "NoSuchMiner"}, UnknownClassError),
        ({"param": {}}, SpecError),
        ({"method": "IBT", "param": [1]}, SpecError),
        ({"method": "IBT", "param": {"threshold_img": "high"}}, SpecError),
    ],
)
def test_wrong_miners(worker_env, description, kind):
    with pytest.raises(kind):
        IncrementalLearning(Estimator, hard_example_mining=description)


def test_call_backs_by_name(worker_env, tmp_path, monkeypatch):
    monkeypatch.setitem(ClassFactory.__registry__, ClassType.CALLBACK, {})
    worker_env(MODEL_URL=tmp_path)

    @ClassFactory.register(ClassType.CALLBACK, alias="score")
    def score(estimator):
        return estimator.estimator.score

    @ClassFactory.register(ClassType.CALLBACK)
    class FirstBox:
        def __call__(self, boxes):
            return boxes[0]

    job = IncrementalLearning(Estimator)
    assert job.train([0.5], post_process="score") == 0.5
    assert job.train([0.5], post_process=lambda estimator: "done") == "done"
    assert job.inference(["a", "b"], post_process="FirstBox")[1] == [0, 0, 1, 1, 0.5, 1]
    with pytest.raises(UnknownClassError, match="FirstBox, score"):
        job.train([0.5], post_process="no such name")


def test_where_the_model_is(worker_env, tmp_path):
    file = tmp_path / "deploy.pb"
    file.write_text("1")
    worker_env(MODEL_URL=file)
    assert JobBase(Estimator).model_path == str(file)
    worker_env(MODEL_URL=tmp_path)
    assert JobBase(Estimator).model_path == f"{tmp_path}/model_finetune_.pkl"
    worker_env(MODEL_NAME="mine.bin")
    assert JobBase(Estimator).model_path == f"{tmp_path}/mine.bin"
    worker_env(MODEL_PATH="/elsewhere/m")
    assert JobBase(Estimator).model_path == "/elsewhere/m"
    worker_env(MODEL_LOAD_MODE="memory")
    assert JobBase(Estimator).model_path == str(tmp_path)


def test_remote_model_folders_make_no_local_ones(worker_env, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worker_env(MODEL_URL="s3://bucket/output/train/1")
    job = IncrementalLearning(Estimator)
    assert list(tmp_path.iterdir()) == []
    assert job.model_path == "s3://bucket/output/train/1/model_finetune_.pkl"


def test_job_base(worker_env):
    job = JobBase(Estimator(), config={"job_name": "from-config"})
    assert job.job_kind == "default"
    assert job.job_name == "from-config"
    assert job.inference(["a"], post_process=len) == 1
    assert job.evaluate(["a"], post_process=lambda figures: figures["precision"]) == [0.0]
    assert job.get_parameters("no_such_parameter", 7) == 7
    with pytest.raises(NotImplementedError, match="JobBase"):
        job.train()
    with pytest.raises(SpecError, match="no estimator"):
        JobBase(None)


def test_of_several_processes_rank_0_alone_saves_and_reports(worker_env, lc, tmp_path):
    for rank in ("1", "0"):
        output = tmp_path / f"output-{rank}"
        worker_env(**WORKER, LC_SERVER=lc.url, MODEL_URL=output, RANK=rank, WORLD_SIZE="2")
        job = IncrementalLearning(estimator=Estimator)
        job.train([0.25, 0.75])
        assert job.estimator.estimator.score == 0.5, "both have trained"
        assert (output / "model_finetune_.pkl").exists() == (rank == "0")
        with pytest.raises(DataError):
            job.train([])
    assert [report["status"] for report in lc.reports] == ["completed", "failed"]
