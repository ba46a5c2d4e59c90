"""Every address of the worker contract in object storage; the store is a real one."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sedna.algorithms.detection import BaseModel
from sedna.common.errors import DataError, NotFoundError, SpecError
from sedna.common.file_ops import FileOps
from sedna.core.base import JobBase
from sedna.core.incremental_learning import IncrementalLearning
from sedna.core.incremental_learning.samples import read_index
from sedna.datasources import CSVDataParse, JSONDataParse, JsonlDataParse, TxtDataParse

ALGORITHM = Path(__file__).with_name("counting_algorithm.py")


class Twin:
    """A model of two files."""

    model_format = "bin"
    value = 0

    def train(self, train_data):
        self.value = sum(train_data)

    def save(self, model_path):
        Path(model_path).write_text(str(self.value))
        Path(model_path).with_name("twin.txt").write_text(f"twin of {self.value}")

    def load(self, model_url):
        self.value = int(Path(model_url).read_text())
        assert Path(model_url).with_name("twin.txt").read_text() == f"twin of {self.value}"

    def predict(self, data):
        return self.value

    def evaluate(self, data):
        return {"value": self.value}


@pytest.fixture
def store(s3_server, request):
    """Address and environment of a folder of this test."""
    variables = {
        "S3_ENDPOINT_URL": s3_server.endpoint,
        "ACCESS_KEY_ID": s3_server.access_key,
        "SECRET_ACCESS_KEY": s3_server.secret_key,
    }
    return f"s3://{s3_server.bucket}/core/{request.node.name.partition('[')[0]}", variables


@pytest.fixture
def put(store, worker_env, tmp_path):
    """Stores a text below the test's folder, and answers its address."""
    worker_env(**store[1])

    def upload(name, text):
        (tmp_path / "one").write_text(text)
        return FileOps.upload(str(tmp_path / "one"), f"{store[0]}/{name}")

    return upload


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """The folder of all temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def dataset(put):
    """An index over three samples, and one beside them for training."""
    for name in "abc":
        put(f"data/pictures/{name}.png", f"picture {name}")
    return {
        "ORIGINAL_DATASET_URL": put("data/all.txt", "pictures/a.png\npictures/b.png\npictures/c.png\n"),
        "TRAIN_DATASET_URL": put("split/train.txt", "pictures/a.png 1,2,3,4,0 5,6,7,8,1\n./pictures/b.png\n"),
        "TEST_DATASET_URL": put("split/test.txt", "pictures/c.png 1,2,3,4,0\n"),
        "UNLABELLED_DATASET_URL": put("split/more.txt", "pictures/c.png\n"),
    }


def run(stage, variables):
    command = [sys.executable, "-m", "sedna.core.incremental_learning.worker", stage]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False, cwd="/")


@pytest.mark.s3
def test_the_built_in_worker_with_every_input_and_its_model_in_object_storage(
    store, put, dataset, process_env, lc, tmp_path
):
    root, credentials = store
    scratch = tmp_path / "worker-scratch"
    scratch.mkdir()
    variables = process_env | credentials | dataset
    variables |= {"WORKER_NAME": "train-worker-abcde", "LC_SERVER": lc.url, "TMPDIR": str(scratch)}
    variables |= {"ALGORITHM": "Counting", "ALGORITHM_MODULE": str(ALGORITHM), "MODEL_URL": f"{root}/out/1"}
    done = run("train", variables | {"BASE_MODEL_URL": put("base/base.json", '{"seen": 50}')})
    assert done.returncode == 0, done.stderr
    (entry,) = lc.reports[0]["results"]
    assert entry["url"] == f"{root}/out/1/model_finetune_.json"
    assert entry["metrics"]["labels"] == ["1,2,3,4,0 5,6,7,8,1", ""]
    assert (entry["metrics"]["base"], entry["metrics"]["unlabelled"]) == (50, 1)
    models = f"{entry['url']};{root}/base/base.json"
    done = run("eval", variables | {"MODEL_URLS": models})
    assert done.returncode == 0, done.stderr
    assert [one["url"] for one in lc.reports[1]["results"]] == models.split(";")
    assert [one["metrics"]["f1_macro"] for one in lc.reports[1]["results"]] == [0.06, 0.5]
    assert list(scratch.iterdir()) == []


@pytest.mark.s3
def test_lines_of_an_index_in_object_storage(store, put, dataset, scratch, tmp_path):
    root = store[0]
    (tmp_path / "here.png").write_text("on this machine")
    lines = ["b 7.png", "b 7.png 7", f"{root}/lines/b 7.png dog", f"{tmp_path}/here.png 1"]
    put("lines/b 7.png", "with a space")
    data = read_index(put("lines/index.txt", "\n".join(lines)), "train", dataset["ORIGINAL_DATASET_URL"])
    assert data.y.tolist() == ["", "7", "dog", "1"]
    assert [Path(path).read_text() for path in data.x] == ["with a space"] * 3 + ["on this machine"]
    for line in ("none.png", f"{root}/data/none.png", "../split/test.txt 1", f"{root}/split/test.txt 1"):
        with pytest.raises(DataError, match=r"no such sample file.*core/"):
            read_index(put("lines/wrong.txt", line), "train", dataset["ORIGINAL_DATASET_URL"])
    del data
    assert list(scratch.iterdir()) == []
    with pytest.raises(NotFoundError):
        read_index(f"{root}/none/index.txt", "train")


@pytest.mark.s3
def test_parsers_read_indexes_in_object_storage(put, scratch):
    txt = TxtDataParse()
    txt.parse(put("i.txt", "a 1\n"))
    table = CSVDataParse()
    table.parse(put("i.csv", "x,y\n1,2\n"), label="y")
    lines = JsonlDataParse()
    lines.parse(put("i.jsonl", '{"x": "a", "y": 1}\n'))
    assert (txt.x.tolist(), table.y.tolist(), len(lines)) == (["a"], [2], 1)
    coco = JSONDataParse()
    address = put("i.json", '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}')
    with pytest.raises(DataError, match="data_dir"):
        coco.parse(address)
    coco.parse(address, data_dir="/pictures")
    assert coco.x.tolist() == ["/pictures/a.png"]
    del txt, table, lines, coco
    assert list(scratch.iterdir()) == []


@pytest.mark.s3
def test_a_program_trains_infers_and_evaluates_in_object_storage(store, put, worker_env, lc, tmp_path, monkeypatch):
    folder = f"{store[0]}/train/1"
    address = f"{folder}/model_finetune_.bin"
    monkeypatch.chdir(tmp_path)
    worker_env(LC_SERVER=lc.url, MODEL_URL=folder)
    IncrementalLearning(Twin).train([3, 4])
    assert lc.reports[0]["results"] == [{"format": "bin", "url": address, "metrics": None}]
    assert list(tmp_path.iterdir()) == []  # no folder "s3:"
    for url in (folder, f"{folder}/", address):
        worker_env(MODEL_URL=url)
        assert IncrementalLearning(Twin).inference("x")[0] == 7
        assert IncrementalLearning(Twin).evaluate(["x"])[0] == {"format": Path(url).suffix[1:], "url": url} | {
            "metrics": {"value": 7}
        }
    worker_env(MODEL_URL=f"{store[0]}/none")
    for use in (IncrementalLearning(Twin).inference, IncrementalLearning(Twin).evaluate):
        with pytest.raises(NotFoundError, match="none"):
            use(["x"])


@pytest.mark.s3
def test_both_forms_of_a_detector_reach_object_storage(store, worker_env, lc, put):
    """The ONNX form is what edges run, and what is judged: without it another model is measured."""
    worker_env(LC_SERVER=lc.url, MODEL_URL=f"{store[0]}/out", **store[1])
    options = {"class_names": ("a", "b"), "fpn_channels": 8, "head_convs": 1, "input_size": 64}
    job = IncrementalLearning(BaseModel(**options))
    saved = job.estimator.save(job.model_path)
    assert saved == f"{store[0]}/out/model_finetune_.safetensors"
    again = IncrementalLearning(BaseModel(**options)).estimator
    again.load(saved)
    assert again.estimator._served() is not None
    # By the environment, which no backend has looked at.
    worker_env(BASE_MODEL_URL=saved)
    third = BaseModel(**options)
    third._load_base(None)
    assert third.has_weights


@pytest.mark.s3
@pytest.mark.parametrize("kind", [Twin, Twin()], ids=["a second instance", "in place"])
def test_a_hot_update_from_object_storage(store, put, worker_env, lc, tmp_path, kind):
    config = tmp_path / "model_config.json"
    worker_env(LC_SERVER=lc.url)
    addresses = []
    for value in (1, 2):
        worker_env(MODEL_URL=f"{store[0]}/{value}")
        IncrementalLearning(Twin).train([value])
        addresses.append(lc.reports.pop()["results"][0]["url"])
    broken = put("3/m.bin", "not a number")
    worker_env(MODEL_HOT_UPDATE="true", MODEL_HOT_UPDATE_CONFIG=f"file://{config}", MODEL_POLL_PERIOD_SECONDS=3600)
    worker_env(MODEL_URL=addresses[0])
    job = IncrementalLearning(kind)
    try:
        assert job.inference("x")[0] == 1
        # The first one fails before any update was in service: the job's own model serves on, from its address.
        for address, expected in ((broken, 1), (addresses[1], 2), (f"{store[0]}/none", 2), (f"{store[0]}/1", 1)):
            offer = {"model_path": address, "model_update_time": address}
            config.write_text(json.dumps({"model_config": offer}))
            job.model_loading.poll()
            assert job.inference("x")[0] == expected
    finally:
        job.model_loading.stop()
        job.model_loading.join()
        job.model_loading.cleanup()


@pytest.mark.parametrize("address", ["https://host/out", "gs://bucket/out"])
def test_a_training_whose_model_could_not_be_saved_does_not_begin(worker_env, lc, address):
    class Trains(Twin):
        def train(self, train_data):
            raise AssertionError("it was trained for nothing")

    worker_env(LC_SERVER=lc.url, MODEL_URL=address)
    with pytest.raises(SpecError, match="s3://bucket/folder/model"):
        IncrementalLearning(Trains).train([1])
    assert [report["status"] for report in lc.reports] == ["failed"]


def test_places_that_must_be_on_this_machine(worker_env, process_env, lc, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worker_env(REPORT_PATH="s3://bucket/report.json")
    with pytest.raises(SpecError, match=r"REPORT_PATH.*this machine"):
        JobBase(Twin)
    worker_env(REPORT_PATH="", MODEL_HOT_UPDATE="true", MODEL_HOT_UPDATE_CONFIG="s3://bucket/config.json")
    with pytest.raises(SpecError, match=r"MODEL_HOT_UPDATE_CONFIG.*this machine"):
        JobBase(Twin)
    for variable in ("CHECKPOINT_DIR", "PROGRESS_PATH", "REPORT_PATH", "ALGORITHM_MODULE"):
        variables = process_env | {"LC_SERVER": lc.url, "WORKER_NAME": "w", variable: "s3://bucket/x"}
        assert run("train", variables).returncode == 2
        message = lc.reports.pop()["ownerInfo"]["error"]["message"]
        assert message.startswith(f"{variable}: ")
        assert "a path on this machine" in message
    assert list(tmp_path.iterdir()) == []


def test_the_same_places_with_the_prefix_of_a_file(worker_env, tmp_path):
    report = tmp_path / "report.json"
    worker_env(REPORT_PATH=f"file://{report}", MODEL_URL=tmp_path)
    IncrementalLearning(Twin).train([2])
    assert json.loads(report.read_text())["results"][0]["url"] == str(tmp_path / "model_finetune_.bin")
