"""The built-in worker as a process of its own."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ALGORITHM = Path(__file__).with_name("counting_algorithm.py")


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.png").write_bytes(b"x")
    (folder / "all.txt").write_text("")
    (tmp_path / "train.txt").write_text("a.png 1,2,3,4,0 5,6,7,8,1\nb.png\n")
    (tmp_path / "test.txt").write_text("c.png 1,2,3,4,0\n")
    (tmp_path / "base.json").write_text('{"seen": 50}')
    return tmp_path


@pytest.fixture
def environment(data, process_env, lc):
    return process_env | {
        "NAMESPACE": "default",
        "JOB_NAME": "pcb",
        "WORKER_NAME": "train-worker-abcde",
        "LC_SERVER": lc.url,
        "DATA_PATH_PREFIX": "/nowhere",
        "ORIGINAL_DATASET_URL": str(data / "data" / "all.txt"),
        "TRAIN_DATASET_URL": str(data / "train.txt"),
        "TEST_DATASET_URL": str(data / "test.txt"),
        "MODEL_URL": str(data / "output"),
        "ALGORITHM": "Counting",
        "ALGORITHM_MODULE": str(ALGORITHM),
        "REPORT_PATH": str(data / "report.json"),
    }


def command(stage):
    return [sys.executable, "-m", "sedna.core.incremental_learning.worker", stage]


def run(stage, environment):
    return subprocess.run(
        command(stage), env=environment, capture_output=True, text=True, timeout=120, check=False, cwd="/"
    )


def report_of(data):
    return json.loads((data / "report.json").read_bytes())


def test_train(environment, data, lc):
    done = run(
        "train",
        environment
        | {
            "BASE_MODEL_URL": str(data / "base.json"),
            "ALGORITHM_PARAMETERS": '{"steps": "4"}',
            "CLASS_NAMES": '["open", "short"]',
            "CHECKPOINT_DIR": str(data / "checkpoints"),
            "PROGRESS_PATH": str(data / "progress.jsonl"),
            "UNLABELLED_DATASET_URL": str(data / "test.txt"),
        },
    )
    assert done.returncode == 0, done.stderr
    model = data / "output" / "model_finetune_.json"
    assert json.loads(model.read_text()) == {"seen": 8, "base": 50}
    assert (
        report_of(data)
        == lc.reports[0]
        == {
            "name": "train-worker-abcde",
            "namespace": "default",
            "ownerName": "pcb",
            "ownerKind": "incrementallearningjob",
            "kind": "train",
            "status": "completed",
            "results": [
                {
                    "format": "json",
                    "url": str(model),
                    "metrics": {
                        "first": 0,
                        "labels": ["1,2,3,4,0 5,6,7,8,1", ""],
                        "classes": ["open", "short"],
                        "base": 50,
                        "unlabelled": 1,
                    },
                }
            ],
        }
    )
    lines = [json.loads(line) for line in (data / "progress.jsonl").read_text().splitlines()]
    assert lines == [{"iteration": n, "loss": None if n == 1 else 1 / n} for n in (1, 2, 3, 4)]


def test_eval(environment, data, lc):
    (data / "new.json").write_text('{"seen": 80}')
    done = run("eval", environment | {"MODEL_URLS": f"{data / 'new.json'};{data / 'base.json'}"})
    assert done.returncode == 0, done.stderr
    report = report_of(data)
    assert (report["kind"], report["status"]) == ("eval", "completed")
    sample = {"sample": "c", "tp": [1], "fp": [0], "fn": [0]}
    assert report["results"] == [
        {"format": "json", "url": str(data / name), "metrics": {"f1_macro": f1, "per_sample": [sample]}}
        for name, f1 in (("new.json", 0.8), ("base.json", 0.5))
    ]
    assert lc.reports == [report]


@pytest.mark.parametrize(
    ("stage", "change", "code", "kind", "message"),
    [
        ("train", {"ALGORITHM_PARAMETERS": '{"fail": "user"}'}, 2, "user", "as asked"),
        ("train", {"ALGORITHM_PARAMETERS": '{"fail": "temporary"}'}, 75, "temporary", "as asked"),
        ("train", {"ALGORITHM_PARAMETERS": '{"fail": "bug"}'}, 3, "permanent", "as asked"),
        ("train", {"ALGORITHM_PARAMETERS": "{"}, 2, "user", "ALGORITHM_PARAMETERS: "),
        ("train", {"ALGORITHM_PARAMETERS": '{"wrong": 1}'}, 2, "user", "unexpected keyword argument 'wrong'"),
        ("train", {"ALGORITHM": "NoSuch"}, 2, "user", "known names: Counting"),
        ("train", {"ALGORITHM": ""}, 2, "user", "ALGORITHM: is not set (Counting, "),
        ("train", {"ALGORITHM_MODULE": "/none.py"}, 2, "user", "no such Python file"),
        ("train", {"TRAIN_DATASET_URL": ""}, 2, "user", "TRAIN_DATASET_URL: is not set"),
        ("train", {"MODEL_URL": ""}, 2, "user", "MODEL_URL: is not set"),
        ("train", {"ORIGINAL_DATASET_URL": ""}, 2, "user", "no such sample file: 'a.png'"),
        ("eval", {"TEST_DATASET_URL": "/none.txt"}, 2, "user", "no such data file"),
        ("eval", {"MODEL_URLS": "/none.json"}, 3, "permanent", "/none.json"),
        ("eval", {"MODEL_URL": ""}, 2, "user", "MODEL_URLS: is not set"),
    ],
)
def test_failures_are_reported_and_have_their_exit_code(environment, data, lc, stage, change, code, kind, message):
    done = run(stage, environment | change)
    assert done.returncode == code, done.stderr
    report = report_of(data)
    assert lc.reports == [report]
    assert (report["name"], report["kind"], report["status"]) == ("train-worker-abcde", stage, "failed")
    assert report["ownerInfo"]["error"]["kind"] == kind
    assert message in report["ownerInfo"]["error"]["message"]
    assert message in done.stderr
    assert ("Traceback" in done.stderr) == (code == 3)


def test_sigterm_stops_at_a_checkpoint_and_the_next_run_goes_on(environment, data):
    environment |= {
        "ALGORITHM_PARAMETERS": '{"steps": 400, "pause": 0.05}',
        "CHECKPOINT_DIR": str(data / "checkpoints"),
        "PROGRESS_PATH": str(data / "progress.jsonl"),
    }
    process = subprocess.Popen(command("train"), env=environment, stderr=subprocess.PIPE, text=True, cwd="/")
    progress = data / "progress.jsonl"
    while process.poll() is None and not progress.exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=60)
    assert process.returncode == 143, log
    assert "stopped at a checkpoint" in log
    assert not (data / "report.json").exists()
    done_steps = json.loads((data / "checkpoints" / "state.json").read_text())
    assert 1 <= done_steps < 400
    finished = run("train", environment | {"ALGORITHM_PARAMETERS": f'{{"steps": {done_steps + 1}}}'})
    assert finished.returncode == 0, finished.stderr
    assert report_of(data)["results"][0]["metrics"]["first"] == done_steps


def test_an_algorithm_that_cannot_start_from_a_model_says_so(environment, data):
    module = data / "plain.py"
    module.write_text(
        "from sedna.common.class_factory import ClassFactory\n"
        "@ClassFactory.register(alias='Plain')\n"
        "class Plain:\n"
        "    def train(self, train_data):\n"
        "        return {}\n"
    )
    plain = environment | {"ALGORITHM": "Plain", "ALGORITHM_MODULE": str(module)}
    done = run("train", plain | {"BASE_MODEL_URL": str(data / "base.json")})
    assert done.returncode == 2
    assert "BASE_MODEL_URL: Plain cannot start from a model" in done.stderr


def test_wrong_usage():
    done = run("deploy", {"PYTHONPATH": ":".join(sys.path)})
    assert done.returncode == 2
    assert "invalid choice: 'deploy'" in done.stderr


def version(folder, name, text, f1):
    """A version of the algorithm whose scores tell which one it is."""
    folder.mkdir()
    path = folder / name
    path.write_text(text.replace('"f1_macro": self.state["base"] / 100', f'"f1_macro": {f1}'))
    return path, hashlib.sha256(path.read_bytes()).hexdigest()


def test_each_model_is_evaluated_by_its_own_version_of_the_code(environment, data, lc):
    (data / "new.json").write_text('{"seen": 80}')
    text = ALGORITHM.read_text()
    new, new_sha256 = version(data / "new", "mine.py", text, 0.75)
    old, old_sha256 = version(data / "old", "mine.py", text, 0.25)
    opener = {"name": "Counting", "parameters": {"steps": 1}, "module": str(old), "sha256": old_sha256}
    given = environment | {
        "MODEL_URLS": f"{data / 'new.json'};{data / 'base.json'}",
        "ALGORITHM_MODULE": str(new),
        "ALGORITHM_MODULE_SHA256": new_sha256,
    }
    done = run("eval", given | {"MODEL_ALGORITHMS": json.dumps([None, opener])})
    assert done.returncode == 0, done.stderr
    assert [result["metrics"]["f1_macro"] for result in report_of(data)["results"]] == [0.75, 0.25]
    assert f"mine.py of sha256 {old_sha256}" in done.stderr
    done = run("eval", given | {"MODEL_ALGORITHMS": json.dumps([None, opener | {"sha256": "0" * 64}])})
    assert done.returncode == 3, "nothing else than the version that is named"
    assert "wanted is 000" in report_of(data)["ownerInfo"]["error"]["message"]


def test_a_file_that_was_edited_while_its_worker_started_is_left_to_the_next_attempt(environment, data):
    done = run("train", environment | {"ALGORITHM_MODULE_SHA256": "0" * 64})
    assert done.returncode == 75, done.stderr
    assert report_of(data)["ownerInfo"]["error"]["type"] == "StaleModuleError"
