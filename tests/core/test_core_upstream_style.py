"""Programs shaped like upstream's two examples run as they would in a container of the platform."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

PROGRAMS = Path(__file__).parent / "upstream_style"


@pytest.fixture
def run(process_env, lc):
    def start(example, program, environment):
        done = subprocess.run(
            [sys.executable, PROGRAMS / example / f"{program}.py"],
            env=process_env | {"LC_SERVER": lc.url} | {name: str(value) for name, value in environment.items()},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return start


def header(kind, worker, job):
    return {
        "name": worker,
        "namespace": "default",
        "ownerName": job,
        "ownerKind": "incrementallearningjob",
        "kind": kind,
        "status": "completed",
    }


def test_detection_example(run, lc, tmp_path):
    data = tmp_path / "home" / "data"
    (data / "data" / "train" / "img").mkdir(parents=True)
    for name in "abc":
        (data / "data" / "train" / "img" / f"{name}.jpg").write_bytes(b"x")
    train = data / "output" / "data" / "train" / "1" / "data.txt"
    test = data / "output" / "data" / "eval" / "1" / "data.txt"
    for index, text in ((train, "img/a.jpg 0,0,10,10,1 10,10,20,20,0\nimg/b.jpg 2,2,12,12,1\n"), (test, "img/c.jpg\n")):
        index.parent.mkdir(parents=True)
        index.write_text(text)
    deployed = data / "models" / "deploy" / "model.pb"
    deployed.parent.mkdir(parents=True)
    deployed.write_text(json.dumps({"box": [0, 0, 1, 1], "score": 0.95}))
    common = {
        "NAMESPACE": "default",
        "JOB_NAME": "helmet-demo",
        "DATA_PATH_PREFIX": data,
        "ORIGINAL_DATASET_URL": data / "data" / "train" / "train.txt",
        "input_shape": "352,640",
        "class_names": "person,helmet, helmet_on,helmet_off",
    }
    output = data / "output" / "train" / "1"
    run(
        "helmet",
        "train",
        common
        | {
            "WORKER_NAME": "train-worker-mj96f",
            "MODEL_URL": output,
            "TRAIN_DATASET_URL": train,
            "BASE_MODEL_URL": data / "models" / "base" / "base.pb",
            "epochs": "3",
            "batch_size": "32",
            "obj_threshold": "0.3",
            "nms_threshold": "0.4",
        },
    )
    metrics = {"loss": 0.125}
    assert lc.reports.pop() == header("train", "train-worker-mj96f", "helmet-demo") | {
        "results": [
            {"format": "pb", "url": "/output/train/1/model_finetune_tensorflow.pb", "metrics": metrics},
            {"format": "ckpt", "url": "/output/train/1", "metrics": metrics},
        ]
    }
    trained = output / "model_finetune_tensorflow.pb"
    assert json.loads(trained.read_text())["box"] == [4.0, 4.0, 14.0, 14.0]

    run(
        "helmet",
        "eval",
        common | {"WORKER_NAME": "eval-worker-7jn5k", "MODEL_URLS": f"{trained};{deployed}", "TEST_DATASET_URL": test},
    )
    report = lc.reports.pop()
    assert report.items() >= header("eval", "eval-worker-7jn5k", "helmet-demo").items()
    assert [(one["format"], one["url"], one["metrics"]["recall"]) for one in report["results"]] == [
        ("pb", "/output/train/1/model_finetune_tensorflow.pb", [0.5] * 4),
        ("pb", "/models/deploy/model.pb", [0.95] * 4),
    ]

    video = tmp_path / "video"
    video.mkdir()
    np.save(video / "0.npy", np.zeros((4, 4, 3)))
    for model, hard in ((trained, 1), (deployed, 0)):
        folders = {"HE_SAVED_URL": tmp_path / f"he{hard}", "RESULT_SAVED_URL": tmp_path / f"result{hard}"}
        run(
            "helmet",
            "inference",
            common
            | folders
            | {
                "WORKER_NAME": "inferworker-kjzv2",
                "MODEL_URL": model,
                "HEM_NAME": "IBT",
                "HEM_PARAMETERS": '[{"key":"threshold_img","value":"0.9"},{"key":"threshold_box","value":"0.9"}]',
                "video_url": video,
            },
        )
        assert len(list(folders["HE_SAVED_URL"].iterdir())) == hard
        assert len(list(folders["RESULT_SAVED_URL"].iterdir())) == 1 - hard
    assert lc.reports == []


def test_classification_example(run, lc, tmp_path):
    data = tmp_path / "home" / "data"
    random = np.random.default_rng(0)
    for part, count in (("train", 4), ("val", 1), ("eval", 3), ("infer", 20)):
        for label in (0, 1):
            folder = data / "dog_croissants" / part / str(label)
            folder.mkdir(parents=True)
            for number in range(count):
                np.save(folder / f"{number}.npy", random.random((4, 4)) * 0.5 + 0.5 * label)
    base, deployed = data / "models" / "base.ckpt", data / "models" / "deploy.ckpt"
    base.parent.mkdir(parents=True)
    base.write_text("0.0")
    deployed.write_text("2.0")
    common = {
        "NAMESPACE": "default",
        "JOB_NAME": "dog-croissants",
        "DATA_PATH_PREFIX": data,
        "ORIGINAL_DATASET_URL": data / "dog_croissants" / "train_data.txt",
        "input_shape": "224",
        "class_name": "dog,croissant",
    }
    output = data / "output" / "train" / "1"
    printed = run(
        "dog",
        "train",
        common
        | {
            "WORKER_NAME": "train-worker-abcde",
            "MODEL_URL": output,
            "BASE_MODEL_URL": base,
            "TRAIN_DATASET_URL": data / "output" / "data" / "train" / "1" / "data.txt",
            "epochs": "10",
            "batch_size": "2",
            "num_parallel_workers": "1",
        },
    )
    assert printed == "train_phase_done\n"
    url = "/output/train/1/model_finetune_mindspore.ckpt"
    assert lc.reports.pop() == header("train", "train-worker-abcde", "dog-croissants") | {
        "results": [{"format": "ckpt", "url": url, "metrics": None}]
    }

    trained = output / "model_finetune_mindspore.ckpt"
    run("dog", "eval", common | {"WORKER_NAME": "eval-worker-abcde", "MODEL_URLS": f"{trained};{deployed}"})
    assert lc.reports.pop() == header("eval", "eval-worker-abcde", "dog-croissants") | {
        "results": [
            {"format": "ckpt", "url": url, "metrics": {"acc": 1.0}},
            {"format": "ckpt", "url": "/models/deploy.ckpt", "metrics": {"acc": 0.5}},
        ]
    }

    mined = tmp_path / "he"
    mined.mkdir()
    printed = run(
        "dog",
        "inference",
        common
        | {
            "WORKER_NAME": "inferworker-abcde",
            "MODEL_URL": trained,
            "HEM_NAME": "Random",
            "HEM_PARAMETERS": '[{"key":"random_ratio","value":"0.9"}]',
            "infer_url": data / "dog_croissants" / "infer",
            "HE_SAVED_URL": mined,
        },
    )
    assert printed.count("\n") == 40
    assert printed.count("-->True") < 36  # the program's own ratio, 0.3, wins over the description's 0.9
    assert "[0.0, 1.0]" in printed
