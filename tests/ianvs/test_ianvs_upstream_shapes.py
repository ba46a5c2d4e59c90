"""Whole examples in the shapes of upstream's, laid out and started as upstream's are: from the repository's root."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest
import yaml

from ianvs_bench import Bench, make_boards

HERE = Path(__file__).parent


@pytest.fixture
def boards(tmp_path: Path) -> Bench:
    return make_boards(tmp_path)


def test_incremental_learning_of_a_detector(boards: Bench) -> None:
    done = boards.run("-f", "examples/boards/benchmarkingjob-incremental.yaml")
    assert done.returncode == 0, done.stderr
    assert "'/ianvs/initial_model/model.zip' does not exist; taking" in done.stderr
    root = boards.folder / "workspace/incremental_learning_bench/benchmarkingjob"
    header, first, second = [line.split(",") for line in (root / "rank/selected_rank.csv").read_text().splitlines()]
    assert header[:5] == ["rank", "algorithm", "f1_score", "samples_transfer_ratio", "paradigm"]
    assert header[5:] == [
        "basemodel", "hard_example_mining", "basemodel-momentum", "basemodel-learning_rate",
        "hard_example_mining-threshold_img", "hard_example_mining-threshold_box", "time", "url",
    ]  # fmt: skip
    assert first[5:7] == second[5:7] == ["FPN", "IBT"]
    # three of four boards are unsure: 12 of 16, 12 of 16, and 9 of 12 in the test
    assert first[3] == second[3] == str(round(33 / 45, 4))
    assert float(first[2]) > 0.9
    assert f"| {header[1].center(len(first[1]))} |" in done.stdout
    (folder,) = {path for path in root.glob("fpn_incremental_learning/*") if first[-1].endswith(path.name)}
    assert len(list((folder / "output/inference/results/1").iterdir())) == 16 + 4  # the evaluation writes there too
    assert len(list((folder / "output/inference/hard_examples/test").iterdir())) == 9
    assert zipfile.is_zipfile(folder / "output/train/1/model.zip")
    result = json.loads((folder / "result.json").read_text())
    assert result["rounds"][0]["outcome"] == "Deployed"
    assert any("cannot be pickled" in note for note in result["notes"])
    manifest = (folder / "store/ianvs/fpn-incremental-learning/datasets/1/manifest.jsonl").read_text().splitlines()
    assert json.loads(manifest[0])["class_names"] == ["Bad_podu", "Bad_qiaojiao"]


def test_single_task_learning_of_a_detector_with_the_old_keys(boards: Bench) -> None:
    done = boards.run("-f", "examples/boards/benchmarkingjob-singletask.yaml", "--no-report")
    assert done.returncode == 0, done.stderr
    root = boards.folder / "workspace/singletask_learning_bench/benchmarkingjob"
    rows = [line.split(",") for line in (root / "rank/all_rank.csv").read_text().splitlines()]
    assert rows[0] == [
        "rank", "algorithm", "f1_score", "paradigm", "basemodel", "basemodel-momentum", "basemodel-learning_rate",
        "time", "url",
    ]  # fmt: skip
    assert all(float(row[2]) > 0.9 for row in rows[1:])
    assert len(list(root.glob("fpn_singletask_learning/*/output/train/model.zip"))) == 2


QUESTIONS = [
    ("If a number plus 10 equals 30, what is the number? A. 20 B. 21", "A"),
    ("Which is the largest? A. 1 B. 3", "B"),
    ("Which is the smallest prime? A. 2 B. 3", "A"),
]


@pytest.fixture
def questions(tmp_path: Path) -> Bench:
    shutil.copytree(HERE / "upstream_questions", tmp_path / "examples" / "questions")
    for part in ("train_data", "test_data"):
        folder = tmp_path / "dataset" / "questions" / part
        folder.mkdir(parents=True)
        lines = [json.dumps({"question": question, "answer": answer}) for question, answer in QUESTIONS]
        (folder / "data.jsonl").write_text("".join(f"{line}\n" for line in lines))
    return Bench(tmp_path)


def test_a_language_model_over_questions(questions: Bench) -> None:
    done = questions.run("-f", "examples/questions/benchmarkingjob.yaml", "--no-report")
    assert done.returncode == 0, done.stderr
    assert questions.rank()[1][:4] == ["1", "questions_singletask_learning", str(2 / 3), "singletasklearning"]


def test_a_language_model_over_a_described_set(questions: Bench) -> None:
    folder = questions.folder / "dataset" / "questions" / "test_data"
    described = {"dataset": "q", "description": "d", "level_1_dim": "a", "level_2_dim": "b"}
    (folder / "metadata.json").write_text(json.dumps(described))
    rows = [
        {"query": question, "response": answer, "judge_prompt": "Say: ", "level_3_dim": "c", "level_4_dim": "d"}
        for question, answer in QUESTIONS
    ]
    (folder / "data.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    testenv = questions.folder / "examples/questions/testenv/testenv.yaml"
    document = yaml.safe_load(testenv.read_text())
    document["testenv"]["dataset"]["test_data_info"] = "/home/somebody/dataset/questions/test_data/metadata.json"
    del document["testenv"]["dataset"]["test_data"]
    testenv.write_text(yaml.safe_dump(document))
    done = questions.run("-f", "examples/questions/benchmarkingjob.yaml", "--no-report")
    assert done.returncode == 0, done.stderr
    assert questions.rank()[1][2] == str(2 / 3)
