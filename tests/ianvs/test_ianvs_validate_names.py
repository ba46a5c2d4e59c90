"""`ianvs validate`: names that lead nowhere, and mistakes that must not hide each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ianvs.cli import main
from ianvs.grammar import load_benchmark
from ianvs_bench import Bench

JOB, TESTENV, ALGORITHM = "benchmarkingjob.yaml", "testenv/testenv.yaml", "algorithm/incremental.yaml"
MODEL = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}
MINER = {"type": "hard_example_mining", "name": "Close", "url": "./algorithm/miner.py"}


@pytest.fixture
def inside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(bench.folder)
    return bench


def validated(capsys: pytest.CaptureFixture[str], code: int, kind: str) -> list[str]:
    assert main(["validate", JOB]) == code
    out = capsys.readouterr().out
    return [line.removeprefix(f"{kind}: ") for line in out.splitlines() if line.startswith(f"{kind}: ")]


def built_in(name: str, kind: str = "basemodel", **values: list[Any]) -> dict[str, Any]:
    return {"type": kind, "name": name, "hyperparameters": [{key: {"values": value}} for key, value in values.items()]}


def add_top_key(file: Path, key: str) -> None:
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), key: 1}))


@pytest.mark.parametrize("file", [JOB, TESTENV, ALGORITHM])
def test_an_unknown_top_key_is_a_warning(inside: Bench, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    add_top_key(inside.folder / file, "extra")
    add_top_key(inside.folder / file, "algoritm")
    misspelt, extra = sorted(validated(capsys, 0, "warning"))
    assert f"{file}: unknown top key 'extra' is ignored" in extra
    assert "did you mean" not in extra
    assert "did you mean 'algorithm'?" in misspelt


def test_sections_may_share_a_file(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    both = {**yaml.safe_load(Path(JOB).read_text()), **yaml.safe_load(Path(TESTENV).read_text())}
    Path(JOB).write_text(yaml.safe_dump(both))
    inside.edit(JOB, testenv=JOB)
    assert validated(capsys, 0, "warning") == []


def test_two_algorithms_of_one_name_are_a_warning(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    entry = {"name": "same", "url": f"./{ALGORITHM}"}
    inside.edit(JOB, test_object__algorithms=[entry, entry])
    (warning,) = validated(capsys, 0, "warning")
    assert "2 algorithms are called 'same'" in warning


RANKS: list[tuple[dict[str, Any], str, str]] = [
    ({"sort_by": [{"acuracy": "descend"}]}, "rank.sort_by: no metric", "did you mean 'accuracy'?"),
    ({"sort_by": [{"all": "descend"}]}, "is called 'all', it decides nothing", "known: accuracy, samples"),
    ({"visualization": {"mode": "selected"}}, "rank.visualization.mode: with 'selected' nothing is printed", "_only'?"),
    ({"selected_dataitem": {"paradigms": ["al"]}}, "the paradigm 'al', it selects no row", "did you mean 'all'?"),
    ({"selected_dataitem": {"modules": ["basemodl"]}}, "a module of type 'basemodl'", "did you mean 'basemodel'?"),
    (
        {"selected_dataitem": {"hyperparameters": ["basemodel-nope"]}},
        "has 'basemodel-nope'",
        "known: basemodel-learning_rate",
    ),
    ({"selected_dataitem": {"metrics": ["zz"]}}, "is called 'zz', its column stays empty", "known: accuracy, samples"),
    ({"selected_dataitem": {"metrics": ["all", "accuracy"]}}, "selected_dataitem.metrics: 'all' beside", "all of them"),
]


@pytest.mark.parametrize(("rank", "message", "end"), RANKS, ids=[message for _, message, _ in RANKS])
def test_a_name_of_the_rank_that_nothing_has_is_a_warning(
    inside: Bench, rank: dict[str, Any], message: str, end: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(JOB, rank=rank)
    (warning,) = validated(capsys, 0, "warning")
    assert message in warning
    assert end in warning
    assert warning in load_benchmark(JOB).notes  # the run says so as well


def test_columns_that_several_seeds_add_are_known(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(
        JOB,
        seeds=[0, 1],
        seed_parameter="seed",
        rank={
            "sort_by": [{"accuracy_ci95": "ascend"}],
            "selected_dataitem": {"metrics": ["accuracy", "seeds"], "hyperparameters": ["basemodel-seed"]},
        },
    )
    assert validated(capsys, 0, "warning") == []


def test_names_of_files_of_hyperparameters_are_known(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    Path("more.yaml").write_text("depth: 2\n")
    files = {"other_hyperparameters": {"values": ["./more.yaml"]}}
    inside.edit(ALGORITHM, modules=[{**MODEL, "hyperparameters": [files]}])
    inside.edit(JOB, rank={"selected_dataitem": {"hyperparameters": ["basemodel-depth"]}})
    assert validated(capsys, 0, "warning") == []


@pytest.mark.parametrize("broken", [TESTENV, ALGORITHM])
def test_nothing_is_said_about_names_of_a_file_that_cannot_be_read(
    inside: Bench, broken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(broken).write_text("testenv: [\n")
    chosen = {"modules": ["odd"], "hyperparameters": ["odd"], "paradigms": ["odd"]}
    inside.edit(JOB, rank={"selected_dataitem": chosen if broken == ALGORITHM else {"metrics": ["odd"]}})
    assert validated(capsys, 1, "warning") == []


def test_a_built_in_is_asked_about_its_hyperparameters(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    miner = built_in("IBT", "hard_example_mining", threshold_boxx=[0.9], threshold_img=[0.5, 7])
    inside.edit(ALGORITHM, modules=[built_in("FPN", learning_rat=[0.1, 0.2]), miner])
    assert main(["validate", JOB]) == 1
    lines = capsys.readouterr().out.splitlines()
    warning, unknown, outside = [line for line in lines if "algorithm.modules" in line]
    assert "'IBT' ignores 'threshold_boxx'; did you mean 'threshold_box'?" in warning
    assert warning.startswith("warning: ")
    assert "the basemodel 'FPN' refuses its hyper-parameters" in unknown
    assert "unknown hyper-parameter learning_rat" in unknown
    assert "'IBT' refuses its hyper-parameters" in outside
    assert "threshold_img" in outside


def test_the_parameter_of_the_seed_is_asked_about_too(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(ALGORITHM, modules=[built_in("FPN", learning_rate=[0.1])])
    inside.edit(JOB, seeds=[0, 1], seed_parameter="sed")
    (problem,) = validated(capsys, 1, "problem")
    assert "unknown hyper-parameter sed" in problem
    inside.edit(JOB, seed_parameter="seed")
    assert validated(capsys, 0, "problem") == []


def test_a_file_that_takes_the_name_of_a_built_in_is_not_judged_by_it(
    inside: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    code = Path("algorithm/miner.py")
    code.write_text(code.read_text().replace('"Close"', '"IBT"'))
    inside.edit(ALGORITHM, modules=[MODEL, {**built_in("IBT", "hard_example_mining", width=[3]), "url": f"./{code}"}])
    assert validated(capsys, 0, "warning") == []


def test_an_unregistered_name_is_told_once_with_what_is_built_in(
    inside: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"name": "same", "url": f"./{ALGORITHM}"}
    inside.edit(JOB, test_object__algorithms=[{**entry, "name": "other"}, entry])
    inside.edit(ALGORITHM, modules=[{"type": "basemodel", "name": "FPM"}])
    (warning,) = validated(capsys, 0, "warning")
    assert "no file registers the basemodel 'FPM'" in warning
    assert "built in: EdgeHML, FPN; did you mean 'FPN'?" in warning


def test_an_unregistered_metric_is_told_once_at_the_test_environment(
    inside: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"name": "one", "url": f"./{ALGORITHM}"}
    inside.edit(JOB, test_object__algorithms=[entry, {"name": "two", "url": "./algorithm/singletask.yaml"}])
    metric = {"name": "acuracy", "url": "./testenv/accuracy.py"}
    inside.edit(TESTENV, metrics=[metric], model_eval__model_metric=metric)
    inside.edit(JOB, rank={})
    (warning,) = validated(capsys, 0, "warning")
    assert warning.startswith(f"./{TESTENV}: no file registers the metric 'acuracy'")
    assert warning.endswith("registers: 'accuracy' (general); did you mean 'accuracy'?")


@pytest.mark.parametrize("paradigm", ["incremental_learning", "quick", ["incrementallearning"], ...])
def test_a_wrong_paradigm_hides_no_metric_and_no_module(
    inside: Bench, paradigm: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(ALGORITHM, paradigm_type=paradigm, modules=[MINER])
    inside.edit(TESTENV, metrics=[{"name": "charm"}], model_eval=...)
    problems = validated(capsys, 1, "problem")
    assert "paradigm_type" in problems[0]
    assert any("no module of type basemodel" in problem for problem in problems)
    assert any("'charm' has no url" in problem for problem in problems)
    missing = any("model_metric is missing" in problem for problem in problems)
    assert missing == (paradigm == "incremental_learning")  # nobody knows whether another one needs it


def test_wrong_types_and_shapes_hide_nothing(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    twice = {"type": "basemodel", "name": "Other", "url": "./algorithm/basemodel.py"}
    inside.edit(ALGORITHM, modules=[MODEL, twice, {"type": "magic", "name": "x"}])
    inside.edit(TESTENV, model_eval={"operator": "~"}, metrics=["f1", {"name": "charm"}], incremental_rounds="many")
    inside.edit(JOB, rank={"sort_by": [{"accuracy": "descend", "f1": "descend"}], "save_mode": 3})
    problems = validated(capsys, 1, "problem")
    for message in (
        "rank.sort_by",
        "rank.save_mode",
        "testenv.incremental_rounds",
        "testenv.metrics[0]",
        "testenv.model_eval.operator",
        "model_metric is missing",
        "'charm' has no url",
        "algorithm.modules[2].type",
        "Stump, Other: several modules of type basemodel",
    ):
        assert [message in problem for problem in problems].count(True) == 1, message
    assert len(problems) == 9


def test_a_metric_without_a_file_cannot_compare_models(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(TESTENV, model_eval__model_metric={"name": "accuracy"})
    (problem,) = validated(capsys, 1, "problem")
    assert "model_metric 'accuracy' has no url" in problem
