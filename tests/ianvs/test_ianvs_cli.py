"""The command: options, exit codes, further commands."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml

from ianvs.cli import main
from ianvs.commands.replay import make_parser, read_job, write_benchmark
from ianvs.commands.validate import check
from ianvs.grammar import load_benchmark, read_benchmark
from ianvs_bench import Bench, make_boards
from sedna.loop.spec import KINDS


@pytest.fixture
def boards(tmp_path: Path) -> Bench:
    return make_boards(tmp_path)


def test_version() -> None:
    done = subprocess.run([sys.executable, "-m", "ianvs", "-v"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == metadata.version("sedna-il")


def test_version_imports_nothing_heavy() -> None:
    code = (
        "import sys\nsys.argv[1:] = ['-v']\nfrom ianvs.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = ('torch', 'pandas', 'matplotlib', 'numpy', 'pydantic', 'yaml', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_arguments_it_shows_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "usage: ianvs" in shown.err
    assert "AI Benchmarking Tool" in shown.err


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-f", "nowhere.yaml"]) == 1
    assert "not found benchmarking config(nowhere.yaml) file in local" in capsys.readouterr().err


def test_validate_counts_test_cases(bench: Bench) -> None:
    done = bench.run("validate", "-f", "benchmarkingjob.yaml")
    assert done.returncode == 0, done.stdout
    assert "valid, 2 test cases" in done.stdout
    assert not bench.workspace.exists()


def test_validate_tells_every_problem(bench: Bench) -> None:
    (bench.folder / "algorithm" / "miner.py").write_text("def (:\n")
    bench.edit("testenv/testenv.yaml", metrics=[{"name": "charm"}], incremental_rounds=60)
    done = bench.run("validate", "-f", "benchmarkingjob.yaml")
    assert done.returncode == 1
    problems = [line for line in done.stdout.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 3
    assert "'charm' has no url" in problems[0]
    assert "miner.py:1: is not Python: invalid syntax" in problems[1]
    assert "have nothing to infer on or nothing to judge with" in problems[2]


def test_the_winner_becomes_a_job_that_can_be_replayed(bench: Bench) -> None:
    bench.edit("testenv/testenv.yaml", class_names=["low", "high"])
    assert bench.run().returncode == 0
    done = bench.run("export", "-f", "benchmarkingjob.yaml", "-o", "job.yaml")
    assert done.returncode == 0, done.stderr
    documents = list(yaml.safe_load_all((bench.folder / "job.yaml").read_text()))
    assert [document["kind"] for document in documents] == ["Dataset", "Model", "Model", "IncrementalLearningJob"]
    for document in documents:
        KINDS[document["kind"]].model_validate(document)
    spec = documents[-1]["spec"]
    assert spec["trainSpec"]["algorithm"]["parameters"] == {"learning_rate": 1.0}
    assert spec["deploySpec"]["trigger"]["condition"] == {
        "operator": ">=", "threshold": 0.01, "metric": "accuracy_delta"
    }  # fmt: skip


def test_the_data_of_the_winner_is_listed_in_productions_form_and_can_be_replayed(
    boards: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = "examples/boards/benchmarkingjob-incremental.yaml"
    assert boards.run("-f", job, "--no-report").returncode == 0
    done = boards.run("export", "-f", job)
    assert done.returncode == 0, done.stderr
    assert "with -o FILE its samples are listed beside the file" in done.stderr
    assert next(yaml.safe_load_all(done.stdout))["spec"] == {"format": "txt", "url": ""}
    assert boards.run("export", "-f", job, "-o", "out.yaml").returncode == 0
    dataset, *_, exported = list(yaml.safe_load_all((boards.folder / "out.yaml").read_text()))
    assert dataset["spec"] == {"format": "txt", "url": "out-stream.txt", "holdoutUrl": "out-holdout.txt"}
    assert exported["spec"]["classNames"] == ["Bad_podu", "Bad_qiaojiao"]
    first, second = (boards.folder / "out-stream.txt").read_text().splitlines()[:2]
    folder = boards.folder / "dataset/train_data/JPEGImages"
    assert first == f"{folder}/0.jpeg 0,0,60,60,0"
    assert second == f"{folder}/1.jpeg 0,9,60,70,1 99,9,160,70,0"  # VOC counts pixels from 1
    assert len((boards.folder / "out-holdout.txt").read_text().splitlines()) == 12
    monkeypatch.chdir(boards.folder)
    folder = write_benchmark(read_job("out.yaml"), make_parser().parse_args(["-f", "out.yaml"]))
    replayed = load_benchmark(str(folder / "benchmarkingjob.yaml"))
    assert list(check(read_benchmark(replayed.file))) == []
    assert replayed.algorithms[0].initial_model_url == str(boards.folder / "initial_model" / "model.zip")


def test_export_of_what_is_not_there(bench: Bench) -> None:
    bench.edit(
        "benchmarkingjob.yaml", test_object__algorithms=[{"name": "stump", "url": "./algorithm/singletask.yaml"}]
    )
    bench.edit("testenv/testenv.yaml", metrics=[{"name": "accuracy", "url": "./testenv/accuracy.py"}])
    assert "there is no rank yet" in bench.run("export", "-f", "benchmarkingjob.yaml").stderr
    assert bench.run().returncode == 0
    for place, message in (("9", "there is no rank 9"), ("1", "is singletasklearning (incremental learning can be")):
        done = bench.run("export", "-f", "benchmarkingjob.yaml", "--rank", place)
        assert done.returncode == 1
        assert message in done.stderr


def test_replay_runs_a_production_job(bench: Bench, tmp_path: Path) -> None:
    model = bench.folder / "algorithm" / "basemodel.py"
    text = model.read_text()
    text = text.replace("int(number_of(path)) for path in train_data.y", "int(t) for t in train_data.y")
    text = text.replace("from core.common.log import LOGGER\n", "import logging\nLOGGER = logging.getLogger('x')\n")
    head, _, _ = text.partition("        name, function = metric\n")
    model.write_text(
        head
        + "        self.load(model_path)\n"
        + "        rows = [dict(sample=os.path.basename(x)[:-4], value=float(a[0] == int(y)))\n"
        + "                for x, y, a in zip(data.x, data.y, self.predict(data.x).values())]\n"
        + "        return {'right': sum(r['value'] for r in rows) / len(rows), 'per_sample': rows}\n"
    )
    (bench.folder / "testenv" / "acc.py").write_text(
        "from sedna.common.class_factory import ClassFactory, ClassType\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='acc')\ndef acc(truth, answers):\n"
        "    return sum(int(t) == a[0] for t, a in zip(truth, answers.values())) / len(truth)\n"
    )
    indexes = {}
    for part in ("train_data", "test_data"):
        folder = bench.folder / "dataset" / part
        rows = [line.split() for line in (folder / "index.txt").read_text().splitlines()]
        index = bench.folder / f"{part}.txt"
        index.write_text("".join(f"{folder / x} {(folder / y).read_text()}\n" for x, y in rows))
        indexes[part] = str(index)
    job = {
        "apiVersion": "sedna.io/v1alpha1",
        "kind": "IncrementalLearningJob",
        "metadata": {"name": "stump"},
        "spec": {
            "dataset": {"name": "d", "trainProb": 0.8},
            "initialModel": {"name": "initial"},
            "trainSpec": {
                "algorithm": {
                    "name": "Stump",
                    "module": "algorithm/basemodel.py",
                    "parameters": {"learning_rate": 1.0},
                },
                "trigger": {"condition": {"operator": ">", "threshold": 0, "metric": "num_of_samples"}},
            },
            "deploySpec": {
                "model": {"name": "m"},
                "hardExampleMining": {"name": "Random", "parameters": [{"key": "random_ratio", "value": "0.5"}]},
                "gate": {"metric": "value", "minSamples": 5},
            },
        },
    }
    (bench.folder / "job.yaml").write_text(yaml.safe_dump(job))
    words = ["-f", "job.yaml", "--stream", indexes["train_data"], "--test", indexes["test_data"]]
    words += ["--initial-model", "initial_model/model.json", "--metric", "acc=testenv/acc.py"]
    done = bench.run("replay", *words)
    assert done.returncode == 0, done.stderr
    lines = (bench.folder / "workspace/replay-stump/rank/all_rank.csv").read_text().splitlines()
    shown = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert float(shown["acc"]) > 0.9
    rounds = next(bench.folder.glob("workspace/replay-stump/stump/*/rounds.jsonl")).read_text()
    assert "value changes by" in rounds


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("kind: Other", "holds 0 jobs"),
        ("kind: IncrementalLearningJob", "IncrementalLearningJob: metadata: Field required"),
    ],
)
def test_replay_of_what_is_no_job(bench: Bench, change: str, message: str) -> None:
    (bench.folder / "job.yaml").write_text(f"{change}\n")
    done = bench.run("replay", "-f", "job.yaml", "--stream", "x.txt", "--test", "y.txt")
    assert done.returncode == 1
    assert message in done.stderr


def production_job(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sedna.io/v1alpha1",
        "kind": "IncrementalLearningJob",
        "metadata": {"name": "stump"},
        "spec": {
            "dataset": {"name": "d", "trainProb": 0.8},
            "initialModel": {"name": "initial"},
            "trainSpec": {"algorithm": {"name": "FPN"}},
            "deploySpec": {"model": {"name": "m"}, "hardExampleMining": {"name": "IBT"}},
            **spec,
        },
    }


def test_replay_tells_every_fault_of_all_documents(bench: Bench) -> None:
    job = production_job(dataset={"name": "d", "trainProb": 7}, classNames=3)
    model = {"apiVersion": "sedna.io/v1alpha1", "kind": "Model", "metadata": {"name": "initial"}, "spec": {}}
    (bench.folder / "job.yaml").write_text(yaml.safe_dump_all([model, job]))
    done = bench.run("replay", "job.yaml")
    assert done.returncode == 1
    assert "4 mistakes" in done.stderr
    for message in (
        "Model: spec.url",
        "Model: spec.format",
        "IncrementalLearningJob: spec.dataset.trainProb",
        "spec.classNames",
    ):
        assert message in done.stderr


def test_replay_tells_everything_that_is_missing(bench: Bench) -> None:
    (bench.folder / "job.yaml").write_text(yaml.safe_dump(production_job()))
    done = bench.run("replay", "job.yaml", "--test", "gone.txt", "--metric", "acc=gone.py")
    assert done.returncode == 1
    for message in (
        "4 mistakes",
        "no Model 'initial'",
        "--stream is missing",
        "gone.txt",
        "gone.py: no such metric file",
    ):
        assert message in done.stderr
    assert not (bench.folder / "workspace").exists()


def test_replay_names_a_workspace_that_cannot_be_made(bench: Bench) -> None:
    (bench.folder / "job.yaml").write_text(yaml.safe_dump(production_job()))
    index = str(bench.folder / "dataset/train_data/index.txt")
    words = ["--stream", index, "--test", index, "--initial-model", "initial_model/model.json"]
    done = bench.run("replay", "job.yaml", *words, "--workspace", "job.yaml")
    assert done.returncode == 1
    assert "--workspace job.yaml: cannot be made" in done.stderr


def test_export_of_what_was_spoilt(bench: Bench) -> None:
    job = "benchmarkingjob.yaml"
    assert bench.run("-f", job, "--no-report").returncode == 0
    for target in ("gone/job.yaml", "dataset"):
        done = bench.run("export", job, "-o", target)
        assert (done.returncode, f"-o {target}: cannot be written" in done.stderr) == (1, True)
    for record in bench.workspace.glob("*/*/case.json"):
        record.write_text('{"key": 3}')
    done = bench.run("export", job)
    assert done.returncode == 1
    assert "case.json: is no record of a test case: key: " in done.stderr
    path = bench.workspace / "rank" / "selected_rank.csv"
    path.write_text("rank,algorithm\n1,stump\n")
    done = bench.run("export", job)
    assert done.returncode == 1
    assert "selected_rank.csv:2: is no rank: there is no url" in done.stderr
