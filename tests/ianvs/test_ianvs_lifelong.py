"""Lifelong learning: transfer by hand, and a whole run over a small task set."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ianvs.cases.checkpoints import Checkpoints, is_resumable
from ianvs.cases.measurements import RoundRecord, Stopwatch
from ianvs.cases.meters import CaseMeter
from ianvs.data import CaseDataset
from ianvs.grammar import AlgorithmConfig, DatasetConfig, ModuleChoice, TestEnv
from ianvs.metrics import transfer
from ianvs.paradigms import Case, lifelong
from ianvs.paradigms.lifelong import options_of
from ianvs.usercode import UserCode
from ianvs_bench import Bench
from sedna.common.errors import DataError, SpecError

MATRIX = ((0.5, 0.4), (0.9, 0.6), (0.8, 1.0))


def test_transfer_by_hand() -> None:
    assert transfer.backward(MATRIX) == pytest.approx(((0.9 - 0.5) + (0.6 - 0.4) + (0.8 - 0.9) + (1.0 - 0.6)) / 4)
    assert transfer.forward(MATRIX) == pytest.approx(((0.5 - 0.5) + (0.6 - 0.4)) / 2)
    assert transfer.average(MATRIX) == pytest.approx(0.9)
    assert transfer.forgetting(MATRIX) == pytest.approx((0.1 + 0.0) / 2)


@pytest.mark.parametrize("matrix", [(), ((0.5, 0.5),), ((0.5,), (0.5,), (0.5,))])
def test_a_matrix_of_another_shape_is_refused(matrix: Any) -> None:
    with pytest.raises(DataError, match="one row more than tasks"):
        transfer.backward(matrix)


def test_what_a_method_cannot_answer_is_no_zero() -> None:
    with pytest.raises(DataError, match="FWT is not known"):
        transfer.forward(((math.nan, 0.4), (0.9, 0.6), (0.8, 1.0)))


def test_hyperparameters_are_options_or_keys() -> None:
    values = {"alpha": 0.5, "train.milestones": [0.5], "seed": 3}
    module = ModuleChoice(type="basemodel", name="DER+UDA", url="", hyperparameters=values)
    assert options_of(module) == [
        "method.name=DER+UDA",
        "method.options.alpha=0.5",
        "train.milestones=[0.5]",
        "seed=3",
    ]


def test_a_method_of_ones_own_is_refused() -> None:
    with pytest.raises(SpecError, match="is a method by name"):
        options_of(ModuleChoice(type="basemodel", name="X", url="x.py", hyperparameters={}))


TASKS: dict[str, dict[str, Any]] = {
    "data": {
        "kind": "synthetic",
        "num_tasks": 2,
        "classes_per_task": 2,
        "labels_per_class": 5,
        "unlabelled_per_class": 10,
        "test_per_class": 10,
        "image_size": 16,
        "padding": 1,
    },
    "model": {"name": "conv4", "width": 8},
    "train": {"iterations": 8, "precision": "fp32", "memory_format": "contiguous"},
    "memory": {"capacity": 20, "disk_capacity": 40},
}


@pytest.fixture(name="lifelong_bench")
def make_lifelong_bench(bench: Bench) -> Bench:
    (bench.folder / "tasks.yaml").write_text(yaml.safe_dump(TASKS))
    testenv = {
        "tasks": {"config": "./tasks.yaml", "options": ["train.batch_size=4"]},
        "metrics": [{"name": name} for name in ("task_avg_acc", "BWT", "FWT", "forget_rate", "MATRIX")],
    }
    (bench.folder / "testenv" / "testenv.yaml").write_text(yaml.safe_dump({"testenv": testenv}))
    write_algorithm(bench, "ER")
    bench.edit(
        "benchmarkingjob.yaml",
        rank={"sort_by": [{"task_avg_acc": "descend"}], "save_mode": "selected_and_all_and_picture"},
        seeds=[4],
        seed_parameter="seed",
    )
    return bench


def write_algorithm(bench: Bench, *methods: str) -> None:
    entries = []
    for method in methods:
        module = {"type": "basemodel", "name": method, "hyperparameters": [{"train.learning_rate": {"values": [0.02]}}]}
        described = {"paradigm_type": "lifelonglearning", "modules": [module]}
        (bench.folder / f"{method}.yaml").write_text(yaml.safe_dump({"algorithm": described}))
        entries.append({"name": method, "url": f"./{method}.yaml"})
    bench.edit("benchmarkingjob.yaml", test_object__algorithms=entries)


def test_every_task_is_tested_before_the_first_and_after_each(lifelong_bench: Bench) -> None:
    done = lifelong_bench.run()
    assert done.returncode == 0, done.stderr
    (path,) = lifelong_bench.workspace.glob("ER/*/seed-4/result.json")
    result = json.loads(path.read_text())
    assert result["status"] == "done", result["failure"]
    matrix = result["metrics"]["MATRIX"]["all"]
    assert [len(row) for row in matrix] == [2, 2, 2]
    assert all(round(value * 20) == pytest.approx(value * 20) for row in matrix for value in row)
    assert result["metrics"]["task_avg_acc"] == transfer.average(matrix)
    assert result["metrics"]["BWT"] == transfer.backward(matrix)
    assert [record["piece"] for record in result["rounds"]] == ["0", "1", "2"]
    assert result["cost"]["algorithm_seconds"] > 0
    assert (path.parent / "output" / "all-heatmap.png").read_bytes().startswith(b"\x89PNG")
    assert Path(lifelong_bench.workspace / "rank" / "report.html").read_text().count("<svg") >= 1


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


class Interrupted:
    """Progress that ends the run at one of its calls."""

    def __init__(self, last: int | None) -> None:
        self.calls = 0
        self._last = last

    def step(self, fraction: float, text: str) -> None:
        self.count()

    def round_done(self, record: RoundRecord) -> None:
        self.count()

    def resume(self, records: Sequence[RoundRecord]) -> None: ...

    def count(self) -> None:
        self.calls += 1
        if self.calls == self._last:
            raise Killed


def lifelong_case(folder: Path, last: int | None = None) -> tuple[Case, Interrupted]:
    folder.mkdir(exist_ok=True)
    tasks = folder.parent / "tasks.yaml"
    tasks.write_text(yaml.safe_dump({**TASKS, "train": {**TASKS["train"], "epoch_length": 4}}))
    environment = {"tasks": {"config": str(tasks), "options": ["train.batch_size=4"]}, "metrics": [{"name": "BWT"}]}
    module = {"type": "basemodel", "name": "ER"}
    algorithm = AlgorithmConfig.model_validate({"name": "er", "paradigm_type": "lifelonglearning", "modules": [module]})
    watch, progress = Stopwatch(), Interrupted(last)
    case = Case(
        output_dir=str(folder),
        testenv=TestEnv.model_validate(environment),
        algorithm=algorithm,
        combination=algorithm.combinations()[0],
        dataset=CaseDataset(DatasetConfig(), str(folder)),
        code=UserCode(),
        progress=progress,
        checkpoints=Checkpoints(folder, "k" * 64, CaseMeter(None, watch)),
        watch=watch,
    )
    return case, progress


def test_killed_anywhere_it_ends_with_the_same_matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_TEST", "")
    whole, progress = lifelong_case(tmp_path / "whole")
    expected = lifelong.run(whole).measurements
    assert progress.calls > 8
    assert len(expected.matrix) == 3
    resumed = 0
    for last in range(1, progress.calls + 1, 2):
        folder = tmp_path / f"at-{last}"
        with pytest.raises(Killed):
            lifelong.run(lifelong_case(folder, last)[0])
        resumed += is_resumable(folder, "k" * 64)
        found = lifelong.run(lifelong_case(folder)[0]).measurements
        assert found.matrix == expected.matrix, f"killed at call {last}"
        assert found.rounds == expected.rounds, f"killed at call {last}"
    assert resumed >= progress.calls // 2 - 2


def test_without_a_task_set_it_is_refused_by_name(lifelong_bench: Bench) -> None:
    lifelong_bench.edit("testenv/testenv.yaml", tasks=...)
    done = lifelong_bench.run()
    assert done.returncode == 1
    assert "testenv.tasks is missing: 'ER' is lifelonglearning" in done.stderr


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ([{"train.learning_rat": {"values": [1]}}], "learning_rat"),
        ([{"train.iterations": {"values": [-1]}}], "iterations"),
    ],
)
def test_validate_tells_what_the_task_set_does_not_know(
    lifelong_bench: Bench, hyperparameters: list[Any], message: str
) -> None:
    assert lifelong_bench.run("validate", "-f", "benchmarkingjob.yaml").returncode == 0
    module = {"type": "basemodel", "name": "ER", "hyperparameters": hyperparameters}
    lifelong_bench.edit("ER.yaml", modules=[module])
    done = lifelong_bench.run("validate", "-f", "benchmarkingjob.yaml")
    assert done.returncode == 1
    assert "problem: " in done.stdout
    assert message in done.stdout


def test_metrics_of_users_are_refused(lifelong_bench: Bench) -> None:
    lifelong_bench.edit("testenv/testenv.yaml", metrics=[{"name": "accuracy", "url": "./testenv/accuracy.py"}])
    done = lifelong_bench.run()
    assert done.returncode == 1
    assert "'accuracy' has a url (lifelonglearning knows: MATRIX, BWT, FWT" in done.stderr
