"""Grammar: what is accepted, what is refused, and what the message says."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ianvs.cases import plan
from ianvs.grammar import Benchmark, load_benchmark
from ianvs_bench import Bench
from sedna.common.errors import NotFoundError, SednaError, SpecError

JOB, TESTENV, ALGORITHM = "benchmarkingjob.yaml", "testenv/testenv.yaml", "algorithm/incremental.yaml"


@pytest.fixture
def inside(bench: Bench) -> Iterator[Bench]:
    """Paths of yaml files are relative to the working folder."""
    before = Path.cwd()
    os.chdir(bench.folder)
    yield bench
    os.chdir(before)


def load() -> Benchmark:
    return load_benchmark(JOB)


def test_upstream_files_are_read_without_a_note(inside: Bench) -> None:
    benchmark = load()
    assert benchmark.notes == ()
    assert benchmark.workspace == "./workspace/benchmarkingjob"
    assert benchmark.testenv.model_eval.operator == ">="
    assert [case.combination.get("basemodel").hyperparameters for case in plan(benchmark)] == [  # type: ignore[union-attr]
        {"learning_rate": 1.0},
        {"learning_rate": 0.1},
    ]


def test_combinations_vary_the_last_value_and_the_last_module_fastest(inside: Bench) -> None:
    inside.edit(
        ALGORITHM,
        modules=[
            {
                "type": "basemodel",
                "name": "Stump",
                "url": "./algorithm/basemodel.py",
                "hyperparameters": [{"a": {"values": [1, 2]}}, {"b": {"values": ["x", "y"]}}],
            },
            {
                "type": "hard_example_mining",
                "name": "Close",
                "url": "./algorithm/miner.py",
                "hyperparameters": [{"distance": {"values": [0.1, 0.2]}}],
            },
        ],
    )
    seen = [
        tuple(value for module in case.combination.modules for value in module.hyperparameters.values())
        for case in plan(load())
    ]
    assert seen == [(a, b, d) for a in (1, 2) for b in ("x", "y") for d in (0.1, 0.2)]


def test_other_hyperparameters_are_the_base_of_every_combination(inside: Bench) -> None:
    (inside.folder / "more.yaml").write_text("start: 0.2\nlearning_rate: 7\n")
    module = {
        "type": "basemodel",
        "name": "Stump",
        "url": "./algorithm/basemodel.py",
        "hyperparameters": [
            {"other_hyperparameters": {"values": ["./more.yaml"]}},
            {"learning_rate": {"values": [1.0]}},
        ],
    }
    inside.edit(ALGORITHM, modules=[module])
    assert load().algorithms[0].combinations()[0].modules[0].hyperparameters == {"start": 0.2, "learning_rate": 1.0}


def test_values_are_those_of_yaml_1_1_as_upstream_reads_them(inside: Bench) -> None:
    path = inside.folder / ALGORITHM
    path.write_text(path.read_text().replace("- 1.0\n", "- 1e-3\n").replace("- 0.1\n", "- on\n"))
    values = [entry.modules[0].hyperparameters["learning_rate"] for entry in load().algorithms[0].combinations()]
    assert values == ["1e-3", True]


def test_old_dataset_keys_still_work(inside: Bench) -> None:
    inside.edit(
        TESTENV,
        dataset={"train_url": "./dataset/train_data/index.txt", "test_url": "./dataset/test_data/index.txt"},
    )
    assert load().testenv.dataset.train == "./dataset/train_data/index.txt"


def test_model_eval_keeps_the_defaults_that_are_not_given(inside: Bench) -> None:
    inside.edit(TESTENV, model_eval={"model_metric": {"name": "accuracy", "url": "./testenv/accuracy.py"}})
    assert (load().testenv.model_eval.threshold, load().testenv.model_eval.operator) == (0.9, ">")


def test_an_unknown_key_is_told_with_what_was_meant(inside: Bench) -> None:
    inside.edit(ALGORITHM, incremental_learning_data_seting={"train_ratio": 0.5})
    assert "did you mean 'incremental_learning_data_setting'" in load().notes[0]


def test_unknown_testenv_keys_are_kept(inside: Bench) -> None:
    inside.edit(TESTENV, if_mode_llm=True)
    assert load().testenv.model_extra == {"if_mode_llm": True}
    assert load().notes == ()


def test_unknown_dataset_keys_are_kept(inside: Bench) -> None:
    inside.edit(TESTENV, dataset__calib_dir="./calib")
    assert load().testenv.dataset.model_extra == {"calib_dir": "./calib"}
    assert load().notes == ()


def test_paths_are_found_beside_the_yaml(inside: Bench, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    inside.edit(JOB, testenv="testenv/testenv.yaml")
    shutil.copy(inside.folder / JOB, inside.folder / "job.yaml")
    benchmark = load_benchmark(str(inside.folder / "job.yaml"))
    assert benchmark.testenv.dataset.train == str(inside.folder / "dataset/train_data/index.txt")


def test_a_stale_prefix_is_replaced_and_told(inside: Bench) -> None:
    inside.edit(JOB, testenv="/home/somebody/ianvs/project/bench/testenv/testenv.yaml")
    inside.edit(TESTENV, dataset__train_index="/home/somebody/data/train_data/index.txt")
    inside.edit(TESTENV, dataset__train_index="/home/somebody/dataset/train_data/index.txt")
    benchmark = load()
    assert benchmark.testenv.dataset.train.endswith("bench/dataset/train_data/index.txt")
    assert len(benchmark.notes) == 2
    assert all("does not exist; taking" in note for note in benchmark.notes)


def test_a_stale_prefix_with_two_candidates_is_refused(inside: Bench) -> None:
    nested = inside.folder / "testenv" / "dataset" / "train_data"
    shutil.copytree(inside.folder / "dataset" / "train_data", nested)
    inside.edit(TESTENV, dataset__train_index="/gone/dataset/train_data/index.txt")
    with pytest.raises(SpecError, match="several files could be meant"):
        load()


def test_a_key_given_twice_is_told(inside: Bench) -> None:
    path = inside.folder / TESTENV
    path.write_text(path.read_text() + "  incremental_rounds: 3\n")
    assert "'incremental_rounds' is given twice" in load().notes[0]
    assert load().testenv.incremental_rounds == 3


BAD: list[tuple[str, dict[str, Any], str]] = [
    (JOB, {"testenv": "./nowhere.yaml"}, r"benchmarkingjob.testenv = './nowhere.yaml': no such file"),
    (JOB, {"test_object__type": "models"}, r"benchmarkingjob.test_object.type = 'models'.*algorithms"),
    (JOB, {"test_object__algorithms": []}, r"test_object.algorithms = \[\]"),
    (JOB, {"rank__save_mode": "nothing"}, r"rank.save_mode = 'nothing'.*selected_and_all"),
    (JOB, {"rank__visualization": {"method": "pie"}}, r"rank.visualization.method = 'pie'.*print_table"),
    (JOB, {"rank__sort_by": [{"a": "ascend", "b": "ascend"}]}, r"one metric an entry"),
    (JOB, {"rank__selected_dataitem": {"metrics": []}}, r"selected_dataitem.metrics = \[\]"),
    (JOB, {"seeds": [0, 0]}, r"seeds = \[0, 0\]: distinct integers"),
    (JOB, {"simulation": {"cloud_number": 1}}, r"clusters are not simulated"),
    (TESTENV, {"metrics": []}, r"testenv.metrics = \[\]"),
    (TESTENV, {"metrics": [{"name": "a"}, {"name": "a", "mode": "x"}]}, r"a: listed twice, with different urls"),
    (TESTENV, {"incremental_rounds": 1}, r"testenv.incremental_rounds = 1.*greater than or equal to 2"),
    (TESTENV, {"model_eval__operator": "!="}, r"testenv.model_eval.operator = '!='"),
    (TESTENV, {"dataset__train_index": "./nowhere.txt"}, r"testenv.dataset.train_index = './nowhere.txt'"),
    (TESTENV, {"dataset__train_index": "./x.parquet"}, r"unknown format.*one of: csv, txt, json, jsonl"),
    (TESTENV, {"dataset": {"train_index": "./dataset/train_data/index.txt"}}, r"has no test data"),
    (TESTENV, {"gate": {"metric": "mood"}}, r"gate.metric = 'mood'"),
    (TESTENV, {"trigger": {"condition": {"operator": ">", "threshold": 1, "metric": "loss"}}}, r"loss"),
    (TESTENV, {"edges": 0}, r"testenv.edges = 0"),
    (TESTENV, {"replay": {"samples": -1}}, r"0 or more, or all"),
    (ALGORITHM, {"paradigm_type": "wishfulthinking"}, r"no such paradigm; supported: singletasklearning"),
    (ALGORITHM, {"paradigm_type": "jointinference"}, r"not supported here; supported: singletasklearning"),
    (ALGORITHM, {"modules": ...}, r"algorithm.modules is missing"),
    (ALGORITHM, {"incremental_learning_data_setting": {"splitting_method": "dice"}}, r"splitting_method = 'dice'"),
    (ALGORITHM, {"incremental_learning_data_setting": {"train_ratio": 1.5}}, r"train_ratio = 1.5"),
    (ALGORITHM, {"modules": [{"type": "magic", "name": "X"}]}, r"modules\[0\].type = 'magic'.*basemodel"),
    (ALGORITHM, {"modules": [{"type": "basemodel", "name": ""}]}, r"modules\[0\].name = ''"),
    (ALGORITHM, {"modules": [{"type": "basemodel", "name": "X", "url": "./no.py"}]}, r"modules\[0\].url = './no.py'"),
    (ALGORITHM, {"name": "a/b"}, r"algorithm name 'a/b'"),
]


@pytest.mark.parametrize(
    ("file", "changes", "message"), BAD, ids=[f"{f}-{next(iter(c))}-{n}" for n, (f, c, _) in enumerate(BAD)]
)
def test_a_mistake_is_told_with_file_key_value_and_what_is_allowed(
    inside: Bench, file: str, changes: dict[str, Any], message: str
) -> None:
    inside.edit(file, **changes)
    with pytest.raises((SpecError, NotFoundError), match=message) as caught:
        load()
    assert Path(caught.value.where.partition(":")[0]).name.endswith(".yaml")


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"learning_rate": 0.1}, "a list with one entry"),
        ([{"learning_rate": 0.1}], "learning_rate: 0.1 has no list of values"),
        ([{"learning_rate": {"values": 0.1}}], "has no list of values"),
        ([{"learning_rate": {"values": []}}], "the list of values is empty"),
        ([{"a": {"values": [1]}, "b": {"values": [1]}}], "is not one hyper-parameter"),
    ],
)
def test_hyperparameters_that_are_no_lists_are_refused(inside: Bench, hyperparameters: Any, message: str) -> None:
    module = {"type": "basemodel", "name": "Stump", "hyperparameters": hyperparameters}
    inside.edit(ALGORITHM, modules=[module])
    with pytest.raises(SpecError, match=message):
        load()


def test_two_modules_of_one_type_are_refused(inside: Bench) -> None:
    inside.edit(ALGORITHM, modules=[{"type": "basemodel", "name": "A"}, {"type": "basemodel", "name": "B"}])
    with pytest.raises(SpecError, match="A, B: several modules of type basemodel"):
        load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("benchmarkingjob: [", "is not yaml"),
        ("something: 1", "has no top key 'benchmarkingjob'; found: something"),
        ("benchmarkingjob: 3", "is 3, not a mapping"),
        ("", "found: NoneType"),
        ("benchmarkingjob: &a {x: *a}", "is not yaml|missing"),
        ("\x00", "is not yaml"),
    ],
)
def test_what_is_no_job_is_refused(inside: Bench, text: str, message: str) -> None:
    (inside.folder / JOB).write_text(text)
    with pytest.raises(SednaError, match=message):
        load()


def test_a_file_of_another_kind_is_refused(inside: Bench) -> None:
    with pytest.raises(SpecError, match=r"ends in .yaml or .yml"):
        load_benchmark("job.txt")


def test_the_aliases_of_single_task_learning_are_told(inside: Bench) -> None:
    inside.edit("algorithm/singletask.yaml", paradigm_type="singletasklearning_with_compression")
    inside.edit(JOB, test_object__algorithms=[{"name": "one", "url": "./algorithm/singletask.yaml"}])
    assert load().algorithms[0].paradigm_type == "singletasklearning"
    assert "is run as 'singletasklearning'" in load().notes[0]


def test_the_key_of_a_case_changes_with_what_decides_its_result(inside: Bench) -> None:
    first, other = (case.key for case in plan(load()))
    assert first != other
    assert plan(load())[0].key == first
    training_key = plan(load())[0].training_key
    with (inside.folder / "testenv" / "accuracy.py").open("a") as file:
        file.write("# changed\n")
    assert plan(load())[0].key != first
    assert plan(load())[0].training_key != training_key, "model_eval uses this metric"
    with (inside.folder / "algorithm" / "reading.py").open("a") as file:
        file.write("# changed\n")
    assert len({first, plan(load())[0].key, training_key, plan(load())[0].training_key}) == 4


def test_the_course_of_a_case_stays_when_a_metric_changes(inside: Bench) -> None:
    before = plan(load())[0]
    inside.edit(TESTENV, metrics=[{"name": "samples_transfer_ratio"}])
    after = plan(load())[0]
    assert after.key != before.key
    assert after.training_key == before.training_key
