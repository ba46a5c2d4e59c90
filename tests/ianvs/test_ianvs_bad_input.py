"""Every kind of bad input through the command: a clear error, exit code 1, other test cases unharmed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ianvs.cli import main
from ianvs_bench import Bench

JOB, TESTENV, ALGORITHM = "benchmarkingjob.yaml", "testenv/testenv.yaml", "algorithm/incremental.yaml"
MODULE = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}


def replaced(file: str, text: str) -> Callable[[Bench], Any]:
    return lambda bench: (bench.folder / file).write_text(text)


def edited(file: str, **changes: Any) -> Callable[[Bench], Any]:
    return lambda bench: bench.edit(file, **changes)


BEFORE_ANYTHING_RUNS: dict[str, tuple[Callable[[Bench], Any], str]] = {
    "no such job file": (lambda bench: (bench.folder / JOB).unlink(), "not found benchmarking config"),
    "no such testenv": (edited(JOB, testenv="./gone.yaml"), "benchmarkingjob.testenv = './gone.yaml': no such file"),
    "no such basemodel": (
        edited(ALGORITHM, modules=[{**MODULE, "url": "./gone.py"}]),
        "algorithm.modules[0].url = './gone.py': no such file",
    ),
    "not yaml": (replaced(JOB, "benchmarkingjob: [\n"), "benchmarkingjob.yaml:2: is not yaml"),
    "left by a merge": (replaced(TESTENV, "<<<<<<< HEAD\ntestenv:\n  metrics: []\n=======\n"), "is not yaml"),
    "a folder": (
        lambda bench: ((bench.folder / JOB).unlink(), (bench.folder / JOB).mkdir()),
        "not found benchmarking config",
    ),
    "unknown paradigm": (edited(ALGORITHM, paradigm_type="wishful"), "no such paradigm; supported: singletasklearning"),
    "unsupported paradigm": (
        edited(ALGORITHM, paradigm_type="federatedlearning"),
        "a paradigm of Ianvs that is not supported here",
    ),
    "no list": (
        edited(ALGORITHM, modules=[{**MODULE, "hyperparameters": [{"learning_rate": {"values": 0.1}}]}]),
        "algorithm.modules[0].hyperparameters",
    ),
    "two modules of one type": (
        edited(ALGORITHM, modules=[MODULE, {**MODULE, "name": "Other"}]),
        "Stump, Other: several modules of type basemodel",
    ),
    "no such index": (edited(TESTENV, dataset__test_index="./gone.txt"), "testenv.dataset.test_index = './gone.txt'"),
    "no such metric": (edited(TESTENV, metrics=[{"name": "charm"}]), "'charm' has no url and is no system metric"),
}


@pytest.mark.parametrize("name", sorted(BEFORE_ANYTHING_RUNS))
def test_a_job_that_is_wrong_runs_nothing(
    bench: Bench, name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, message = BEFORE_ANYTHING_RUNS[name]
    spoil(bench)
    monkeypatch.chdir(bench.folder)
    assert main(["-f", JOB]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "Traceback" not in told
    assert not bench.workspace.exists()


def one_case(bench: Bench, **miner: Any) -> None:
    found = {"type": "hard_example_mining", "name": "Close", "url": "./algorithm/miner.py"}
    bench.edit(ALGORITHM, modules=[MODULE, {**found, "hyperparameters": [{"distance": {"values": [0.3]}}], **miner}])


def without_an_image(folder: Path) -> None:
    (folder / "x" / "0-3.txt").unlink()


def without_a_label_file(folder: Path) -> None:
    (folder / "labels" / "0-3.lab").unlink()


def without_a_label(folder: Path) -> None:
    lines = (folder / "index.txt").read_text().splitlines()
    lines[3] = lines[3].split()[0]
    (folder / "index.txt").write_text("".join(f"{line}\n" for line in lines))


def of_one_sample(folder: Path) -> None:
    (folder / "index.txt").write_text((folder / "index.txt").read_text().splitlines()[0])


def of_nothing(folder: Path) -> None:
    (folder / "index.txt").write_text("\n")


def of_bytes(folder: Path) -> None:
    (folder / "index.txt").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (without_an_image, "line 4: no file"),
        (without_a_label_file, "line 4: no label file"),
        (without_a_label, "line 4: no label"),
        (of_nothing, "has no line"),
        (of_bytes, "cannot be read"),
    ],
)
def test_an_index_that_is_wrong_is_told_by_line(bench: Bench, spoil: Callable[[Path], None], message: str) -> None:
    one_case(bench)
    spoil(bench.own_data() / "train_data")
    for words in (("validate", "-f", JOB), ("-f", JOB)):
        done = bench.run(*words)
        assert done.returncode == 1
        assert message in done.stdout + done.stderr
        assert "index.txt" in done.stdout + done.stderr


def test_a_piece_without_samples_to_infer_on_is_played_without_training(bench: Bench) -> None:
    """One sample in two rounds: the first piece is empty, the second has nothing to infer on. ``validate`` says so."""
    one_case(bench)
    of_one_sample(bench.own_data() / "train_data")
    checked = bench.run("validate", "-f", JOB)
    assert checked.returncode == 1
    assert "rounds 1, 2 have nothing to infer on or nothing to judge with" in checked.stdout
    assert bench.run().returncode == 0
    (result,) = bench.results()
    assert [(record["inferences"], record["candidate"]) for record in result["rounds"]] == [
        (0, None),
        (0, None),
        (40, None),
    ]


def test_a_format_that_has_no_files_is_refused(bench: Bench) -> None:
    (bench.folder / "data.csv").write_text("a,label\n1,0\n2,1\n")
    bench.edit(TESTENV, dataset={"train_index": "./data.csv", "test_index": "./data.csv", "label": "label"})
    for words in (("validate", "-f", JOB), ("-f", JOB)):
        done = bench.run(*words)
        assert done.returncode == 1
        assert "has no samples to infer on one by one" in done.stdout + done.stderr


def test_a_metric_that_raises_for_one_algorithm_leaves_the_other_its_result(bench: Bench) -> None:
    metric = bench.folder / "testenv" / "accuracy.py"
    text = metric.read_text().replace(
        "    answers =", "    if os.environ['RATE'] == '0.1':\n        raise ZeroDivisionError\n    answers ="
    )
    assert "RATE" in text
    metric.write_text(text)
    model = bench.folder / "algorithm" / "basemodel.py"
    model.write_text(
        model.read_text().replace('trace("init"', 'os.environ["RATE"] = str(self.rate)\n        trace("init"')
    )
    bench.edit(TESTENV, model_eval__model_metric={"name": "size", "url": "./testenv/size.py"})
    (bench.folder / "testenv" / "size.py").write_text(
        "from sedna.common.class_factory import ClassFactory, ClassType\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='size')\ndef size(y_true, y_pred):\n    return len(y_pred)\n"
    )
    done = bench.run()
    assert done.returncode == 1
    assert "metric 'accuracy' raised ZeroDivisionError" in done.stderr
    assert "1 of 2 test cases" in done.stderr
    header, *rows = bench.rank()
    assert [row[header.index("basemodel-learning_rate")] for row in rows] == ["1.0"]


def test_a_metric_can_be_mended_without_training_again(bench: Bench) -> None:
    one_case(bench)
    metric = bench.folder / "testenv" / "late.py"
    text = (
        "from sedna.common.class_factory import ClassFactory, ClassType\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='late')\n"
        "def late(y_true, y_pred):\n    return len(y_pred) / 0\n"
    )
    metric.write_text(text)
    bench.edit(TESTENV, metrics=[{"name": "late", "url": "./testenv/late.py"}])
    assert bench.run().returncode == 1
    metric.write_text(text.replace(" / 0", ""))
    trace = bench.folder / "trace"
    done = bench.run("-f", JOB, "--resume", TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    assert bench.rank()[1][2] == "40"
    assert "train" not in {line.split()[0] for line in trace.read_text().splitlines()}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_workspace_that_cannot_be_written_is_told(bench: Bench) -> None:
    (bench.folder / "workspace").mkdir(mode=0o500)
    done = bench.run()
    assert done.returncode == 1
    assert "Permission denied" in done.stderr


def test_a_workspace_that_is_a_file_is_told(bench: Bench) -> None:
    (bench.folder / "workspace").write_text("")
    done = bench.run()
    assert done.returncode == 1
    assert "workspace" in done.stderr
    assert "Traceback" not in done.stderr
