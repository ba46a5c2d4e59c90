"""The shipped FPN benchmark: its files fit together, and a small piece of it runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ianvs.commands.replay import make_parser, read_job, write_benchmark
from ianvs.commands.validate import check
from ianvs.grammar import load_benchmark, read_benchmark
from ianvs_bench import Bench
from sedna.common.errors import NotFoundError

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def shipped(tmp_path: Path) -> Bench:
    folder = tmp_path / "benchmarks" / "pcb_fpn"
    ignored = shutil.ignore_patterns("dataset", "workspace", "results", "__pycache__")
    shutil.copytree(REPOSITORY / "benchmarks" / "pcb_fpn", folder, ignore=ignored)
    (tmp_path / "examples").symlink_to(REPOSITORY / "examples")
    subprocess.run([sys.executable, "make_dataset.py"], cwd=folder, check=True, capture_output=True)
    return Bench(folder)


def test_both_jobs_are_valid(shipped: Bench) -> None:
    for name in ("incremental", "singletask"):
        done = shipped.run("validate", "-f", f"benchmarkingjob-{name}.yaml")
        assert done.stdout == f"benchmarkingjob-{name}.yaml: valid, 2 test cases\n"


def test_the_full_set_is_read_from_its_own_layout(shipped: Bench) -> None:
    source = shipped.folder / "PCBData"
    board = next((REPOSITORY / "examples/01_pcb_inspection/data").glob("*.png"))
    for split, name in (("trainval.txt", "1"), ("test.txt", "2")):
        folder = source / "group1"
        (folder / "a").mkdir(parents=True, exist_ok=True)
        shutil.copy(board, folder / "a" / f"{name}_test.jpg")
        (folder / "a" / f"{name}.txt").write_text("10 20 40 60 6")
        (source / split).write_text(f"group1/a/{name}.jpg group1/a/{name}.txt")
    subprocess.run([sys.executable, "make_dataset.py", "--source", source], cwd=shipped.folder, check=True)
    part = shipped.folder / "dataset" / "train_data"
    assert (part / "index.txt").read_text() == "./JPEGImages/1_test.jpg ./Annotations/1_test.xml\n"
    annotation = (part / "Annotations" / "1_test.xml").read_text()
    assert "<name>pin-hole</name>" in annotation
    assert "<xmin>11</xmin>" in annotation


EXAMPLE = REPOSITORY / "examples" / "01_pcb_inspection"


def test_the_stream_of_the_example_is_its_manifests(shipped: Bench) -> None:
    boards = json.loads((EXAMPLE / "manifest.json").read_text())["boards"]
    lines = (EXAMPLE / "stream.txt").read_text().splitlines()
    streamed = [board for board in boards if board["part"] in ("stream-1", "stream-2")]
    assert [line.split()[0] for line in lines] == [board["file"] for board in streamed]
    for line, board in zip(lines, streamed, strict=True):
        assert [[int(value) for value in word.split(",")] for word in line.split()[1:]] == board["boxes"]


def test_the_example_job_can_be_replayed(shipped: Bench) -> None:
    """Everything but the running: hold-out and first model are those that the job's file names."""
    from ianvs.commands.replay import main

    words = ["-f", str(EXAMPLE / "job.yaml"), "--workspace", str(shipped.folder / "workspace")]
    with pytest.raises(NotFoundError, match="--stream is missing, and no Dataset beside the job names one"):
        main(words)
    assert not (shipped.folder / "workspace").exists()
    described = read_job(str(EXAMPLE / "job.yaml"))
    folder = write_benchmark(described, make_parser().parse_args([*words, "--stream", str(EXAMPLE / "stream.txt")]))
    benchmark = load_benchmark(str(folder / "benchmarkingjob.yaml"))
    assert benchmark.notes == ()
    assert list(check(read_benchmark(benchmark.file))) == []
    assert benchmark.testenv.dataset.test == benchmark.testenv.dataset.holdout_index == str(EXAMPLE / "holdout.txt")
    assert benchmark.algorithms[0].initial_model_url == str(EXAMPLE / "initial_model")
    assert benchmark.algorithms[0].incremental_learning_data_setting.train_ratio == 0.7
    gate, trigger = benchmark.testenv.loop_gate(), benchmark.testenv.loop_trigger()
    assert gate == described.job.spec.deploy_spec.gate
    assert trigger == described.job.spec.train_spec.trigger


@pytest.mark.e2e
def test_a_small_piece_of_the_example_is_replayed(shipped: Bench) -> None:
    for name in ("stream", "holdout"):
        lines = (EXAMPLE / f"{name}.txt").read_text().splitlines()[: 10 if name == "stream" else 2]
        (shipped.folder / f"{name}.txt").write_text("".join(f"{EXAMPLE}/{line}\n" for line in lines))
    text = (EXAMPLE / "job.yaml").read_text()
    text = text.replace("epochs: 20", "max_iteration: 1").replace("threshold: 48", "threshold: 3")
    text = text.replace("minSamples: 10", "minSamples: 1").replace(
        "url: initial_model", f"url: {EXAMPLE}/initial_model"
    )
    (shipped.folder / "job.yaml").write_text(text)
    done = shipped.run("replay", "-f", "job.yaml", "--stream", "stream.txt", "--rounds", "2")
    assert done.returncode == 0, done.stderr
    (path,) = shipped.folder.glob("workspace/replay-pcb/pcb/*/result.json")
    first, second, test = json.loads(path.read_text())["rounds"]
    assert (first["inferences"], second["inferences"], test["inferences"]) == (3, 3, 2)
    assert first["trained_on"] == 3
    assert first["outcome"] in ("Deployed", "Rejected", "Inconclusive")
    assert set(first["candidate_metrics"]) >= {"f1", "map50"}
    assert second["replayed"] == 3


@pytest.mark.e2e
def test_a_small_piece_of_it_runs(shipped: Bench) -> None:
    for part, count in (("train_data", 10), ("test_data", 2)):
        index = shipped.folder / "dataset" / part / "index.txt"
        index.write_text("".join(index.read_text().splitlines(keepends=True)[:count]))
    fixed = shipped.folder / "algorithm" / "fixed.yaml"
    fixed.write_text(fixed.read_text().replace("max_iteration: 150", "max_iteration: 1"))
    algorithm = shipped.folder / "algorithm" / "incremental.yaml"
    algorithm.write_text(algorithm.read_text().replace("[0.95, 0.5]", "[0.5]"))
    done = shipped.run("-f", "benchmarkingjob-incremental.yaml", "--no-report")
    assert done.returncode == 0, done.stderr
    (path,) = shipped.folder.glob("workspace/*/*/*/result.json")
    result = json.loads(path.read_text())
    assert 0 <= result["metrics"]["f1_score"] <= 1
    assert result["rounds"][0]["trained_on"] > 0
    assert set(result["rounds"][0]["candidate_metrics"]) >= {"f1_score", "map50"}
    assert len(list(path.parent.glob("output/train/1/*.safetensors"))) == 1
