"""`ianvs validate`: every mistake in one go, the decisive one first, and warnings about user code that never ran."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ianvs.cli import main
from ianvs.commands.validate import check, warnings
from ianvs.grammar import BenchmarkError, load_benchmark, read_benchmark
from ianvs_bench import STYLE, Bench

JOB, TESTENV, ALGORITHM = "benchmarkingjob.yaml", "testenv/testenv.yaml", "algorithm/incremental.yaml"
MODEL = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}
MINER = {"type": "hard_example_mining", "name": "Close", "url": "./algorithm/miner.py"}


@pytest.fixture
def inside(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.chdir(bench.folder)
    return bench


def lines(capsys: pytest.CaptureFixture[str], kind: str) -> list[str]:
    shown = capsys.readouterr()
    return [line.removeprefix(f"{kind}: ") for line in shown.out.splitlines() if line.startswith(f"{kind}: ")]


def validated(capsys: pytest.CaptureFixture[str], code: int, kind: str = "problem") -> list[str]:
    assert main(["validate", JOB]) == code
    return lines(capsys, kind)


def with_mistakes_everywhere(bench: Bench) -> list[str]:
    """Two mistakes in each file, some of them in one entry of a list, and what the message of each must hold."""
    bench.edit(JOB, rank__save_mode="nothing", test_object__type="models", seeds=[1, 1])
    bench.edit(
        TESTENV,
        incremental_rounds=1,
        dataset__train_index="./gone.txt",
        metrics=[{"name": "accuracy", "url": "./gone.py"}, "f1", {"name": "charm"}],
        gate={"metric": "mood", "minSamples": -3},
    )
    module = {"type": "magic", "name": "", "url": "./lost.py", "hyperparameters": {"rate": 1}}
    bench.edit(ALGORITHM, modules=[module, MODEL], incremental_learning_data_setting={"train_ratio": 7})
    (bench.folder / "algorithm" / "basemodel.py").write_text("def (:\n")
    return [
        "benchmarkingjob.rank.save_mode = 'nothing'",
        "benchmarkingjob.test_object.type = 'models'",
        "benchmarkingjob.seeds = [1, 1]",
        "testenv.incremental_rounds = 1",
        "testenv.dataset.train_index = './gone.txt': no such file",
        "testenv.metrics[0].url = './gone.py': no such file",
        "testenv.metrics[1] = 'f1': must be a mapping (metrics: [{name: f1_score",
        "testenv.gate.metric = 'mood'",
        "testenv.gate.minSamples = -3",
        "algorithm.modules[0].type = 'magic'",
        "algorithm.modules[0].name = ''",
        "algorithm.modules[0].url = './lost.py': no such file",
        "algorithm.modules[0].hyperparameters = {'rate': 1}: a list with one entry a hyper-parameter",
        "algorithm.incremental_learning_data_setting.train_ratio = 7",
        "'charm' has no url",
        "basemodel.py:1: is not Python",
    ]


def test_every_mistake_of_all_files_is_told_in_one_go(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    expected = with_mistakes_everywhere(inside)
    problems = validated(capsys, 1)
    for message in expected:
        assert [message in problem for problem in problems].count(True) == 1, message
    assert len(problems) == len(expected)


@pytest.mark.parametrize("words", [["-f", JOB], [JOB], [JOB, "--resume"], ["export", JOB]])
def test_the_other_commands_tell_all_mistakes_too(
    inside: Bench, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    expected = with_mistakes_everywhere(inside)[:-2]  # the last two only validate looks for: metrics as such, user code
    assert main(words) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"ianvs: {JOB}: {len(expected)} mistakes\n")
    for message in expected:
        assert message in told
    assert not inside.workspace.exists()


def test_mistakes_of_data_and_metrics_are_told_beside_those_of_the_files(
    inside: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    (inside.own_data() / "test_data" / "x" / "3-2.txt").unlink()
    (inside.folder / "dataset" / "train_data" / "x" / "0-2.txt").unlink()
    inside.edit(TESTENV, metrics=[{"name": "charm"}, {"name": "BWT"}], edges=0)
    inside.edit(JOB, workspace=f"./{JOB}/x")
    problems = validated(capsys, 1)
    assert len(problems) == 6
    for found, expected in zip(
        problems,
        [
            "testenv.edges = 0",
            "benchmarkingjob.workspace",
            "'charm' has no url",
            "'BWT' is not known",
            "0-2.txt",
            "3-2.txt",
        ],
        strict=True,
    ):
        assert expected in found


def test_a_file_that_is_no_yaml_hides_no_other(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    (inside.folder / TESTENV).write_text("testenv: [\n")
    inside.edit(ALGORITHM, modules=[{**MODEL, "url": "./lost.py"}])
    first, second = validated(capsys, 1)
    assert "testenv.yaml:2: is not yaml" in first
    assert "algorithm.modules[0].url = './lost.py'" in second


def test_what_is_left_of_a_broken_section_is_compared_and_no_default_stands_in(
    inside: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    """The rounds are unknown, so nothing is said about rounds that would be empty; the metric is."""
    inside.edit(TESTENV, incremental_rounds="many", metrics=[{"name": "charm"}])
    first, second = validated(capsys, 1)
    assert "testenv.incremental_rounds = 'many'" in first
    assert "'charm' has no url" in second


OTHERS = [
    "multiedgeinference", "federatedlearning", "federatedclassincrementallearning", "jointinference",
    "singletasklearning_tta", "singletasklearning_acboost",
]  # fmt: skip


@pytest.mark.parametrize("paradigm", OTHERS)
def test_a_paradigm_that_is_not_run_is_named_before_everything_else(
    inside: Bench, paradigm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(JOB, seeds=[1, 1])
    inside.edit(TESTENV, dataset={"train_index": "./gone.txt"})
    inside.edit(ALGORITHM, paradigm_type=paradigm)
    first, *others = validated(capsys, 1)
    assert f"algorithm.paradigm_type = '{paradigm}': a paradigm of Ianvs that is not supported here" in first
    assert ["seeds" in line or "gone.txt" in line for line in others] == [True, True]
    assert main([JOB]) == 1
    assert capsys.readouterr().err.splitlines()[1].strip() == first


def test_a_paradigm_that_is_misspelt_is_guessed(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(ALGORITHM, paradigm_type="incremental_learning")
    (problem,) = validated(capsys, 1)
    assert "no such paradigm" in problem
    assert "did you mean 'incrementallearning'?" in problem


@pytest.mark.parametrize("tasks", [{}, {"tasks": {"config": "quick"}}])
def test_a_basemodel_of_ones_own_under_lifelong_learning_is_one_refusal(
    inside: Bench, tasks: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """No task set is asked for, and no other metric: who brought them would only meet the refusal then."""
    inside.edit(ALGORITHM, paradigm_type="lifelonglearning", modules=[MODEL])
    inside.edit(TESTENV, dataset={}, **tasks)
    for words in (["validate", JOB], [JOB]):
        assert main(words) == 1
        shown = capsys.readouterr()
        assert (
            "own basemodels are not run under lifelonglearning, only methods of sedna.algorithms"
            in shown.out + shown.err
        )
        assert "testenv.tasks" not in shown.out + shown.err
        assert "has a url" not in shown.out + shown.err


SHAPES: list[tuple[str, dict[str, Any], str]] = [
    (TESTENV, {"metrics": {"f1": {}}}, "testenv.metrics = {'f1': {}}: must be a list (metrics: [{name: "),
    (TESTENV, {"metrics": ["f1"]}, "testenv.metrics[0] = 'f1': must be a mapping (metrics: [{name: "),
    (TESTENV, {"metrics": []}, "testenv.metrics = []: must not be empty (metrics: [{name: "),
    (TESTENV, {"metrics": ...}, "testenv.metrics is missing (metrics: [{name: "),
    (TESTENV, {"dataset": "index.txt"}, "testenv.dataset = 'index.txt': must be a mapping (dataset: {train_index: "),
    (TESTENV, {"class_names": "a"}, "testenv.class_names = 'a': must be a list (class_names: [open, short])"),
    (TESTENV, {"gate": [1]}, "testenv.gate = [1]: must be a mapping (gate: {metric: f1"),
    (TESTENV, {"model_eval": "f1"}, "testenv.model_eval = 'f1': must be a mapping (model_eval: {model_metric: "),
    (TESTENV, {"model_eval__model_metric": "f1"}, "model_metric = 'f1': must be a mapping (model_metric: {name: "),
    (ALGORITHM, {"modules": {"basemodel": 1}}, "algorithm.modules = {'basemodel': 1}: must be a list (modules: ["),
    (ALGORITHM, {"third_party_packages": {"a": 1}}, "must be a list (third_party_packages: [{name: "),
    (ALGORITHM, {"paradigm_type": ["a"]}, "must be a text (paradigm_type: incrementallearning)"),
    (JOB, {"test_object__algorithms": {"a": "b"}}, "must be a list (algorithms: [{name: mine, "),
    (JOB, {"test_object": ["a"]}, "must be a mapping (test_object: {type: algorithms, "),
    (JOB, {"testenv": {"metrics": []}}, "must be a text (testenv: ./testenv/testenv.yaml)"),
    (JOB, {"rank": [1]}, "benchmarkingjob.rank = [1]: must be a mapping (rank: {sort_by: "),
    (JOB, {"rank__sort_by": {"f1": "descend"}}, "must be a list (sort_by: [{f1_score: descend}])"),
    (JOB, {"rank__selected_dataitem": {"metrics": "all"}}, "must be a list (metrics: [f1_score])"),
    (JOB, {"seeds": 3}, "benchmarkingjob.seeds = 3: must be a list (seeds: [0, 1, 2])"),
]


@pytest.mark.parametrize(
    ("file", "changes", "message"), SHAPES, ids=[f"{n}-{next(iter(c))}" for n, (_, c, _) in enumerate(SHAPES)]
)
def test_a_value_of_the_wrong_shape_is_told_with_the_right_one(
    inside: Bench, file: str, changes: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(file, **changes)
    problems = validated(capsys, 1)
    assert message in problems[0]


def test_what_is_listed_twice_the_same_way_counts_once(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    metric = {"name": "accuracy", "url": "./testenv/accuracy.py"}
    inside.edit(TESTENV, metrics=[metric, {"name": "samples_transfer_ratio"}, metric])
    inside.edit(ALGORITHM, modules=[MODEL, MINER, MODEL])
    inside.edit(JOB, rank__selected_dataitem={"metrics": ["accuracy", "accuracy"]})
    notes = validated(capsys, 0, "note")
    assert len(notes) == 2
    benchmark = load_benchmark(JOB)
    assert [entry.name for entry in benchmark.testenv.metrics] == ["accuracy", "samples_transfer_ratio"]
    assert [module.name for module in benchmark.algorithms[0].modules] == ["Stump", "Close"]
    assert benchmark.job.rank.selected_dataitem.metrics == ("accuracy",)


@pytest.mark.parametrize("rank", [..., None, {}])
def test_a_missing_rank_is_an_empty_one(inside: Bench, rank: Any) -> None:
    inside.edit(JOB, rank=rank)
    assert load_benchmark(JOB).job.rank.order == ()
    assert inside.run(JOB, "--no-report").returncode == 0
    header, *rows = inside.rank("selected")
    assert header[:4] == ["rank", "algorithm", "accuracy", "samples_transfer_ratio"]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"workspace": f"./{JOB}"}, f"benchmarkingjob.workspace = './{JOB}'"),
        ({"workspace": f"./{JOB}/deep"}, f"benchmarkingjob.workspace = './{JOB}/deep'"),
        ({"workspace": "w" * 300}, "benchmarkingjob.workspace = 'www"),
        ({"workspace": "/proc/none"}, "benchmarkingjob.workspace = '/proc/none'"),
        ({"workspace": ".", "name": JOB}, f"benchmarkingjob.name = '{JOB}'"),
    ],
)
def test_a_workspace_that_cannot_be_made_is_told_with_its_key(
    inside: Bench, changes: dict[str, Any], key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(JOB, **changes)
    if changes["workspace"] != "/proc/none":  # only the attempt shows that this file system makes no folders
        (problem,) = validated(capsys, 1)
        assert key in problem
        assert "cannot be made" in problem
    assert main([JOB]) == 1
    told = capsys.readouterr().err
    assert f"ianvs: {JOB}: {key}" in told
    assert "Traceback" not in told


def test_a_name_that_no_folder_can_have_is_refused(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(JOB, test_object__algorithms=[{"name": "n" * 300, "url": f"./{ALGORITHM}"}])
    (problem,) = validated(capsys, 1)
    assert "it becomes a folder of the workspace" in problem


def test_a_path_that_no_file_system_can_hold_is_no_crash(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(TESTENV, dataset__train_index=f"./{'i' * 300}.txt", metrics=[{"name": "a", "url": "u" * 5000}])
    assert ["no such file" in problem for problem in validated(capsys, 1)] == [True, True]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modules": [MINER]}, "no module of type basemodel, which incrementallearning needs"),
        (
            {"modules": [{**MODEL, "type": "edgemodel"}], "paradigm_type": "singletasklearning"},
            "no module of type basemodel, which singletasklearning needs",
        ),
    ],
)
def test_a_module_that_the_paradigm_needs_is_missed(
    inside: Bench, changes: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inside.edit(ALGORITHM, **changes)
    inside.edit(TESTENV, metrics=[{"name": "accuracy", "url": "./testenv/accuracy.py"}])
    (problem,) = validated(capsys, 1)
    assert message in problem


def test_a_module_that_the_paradigm_does_not_use_is_noted(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(ALGORITHM, modules=[MODEL, MINER, {**MODEL, "type": "dataset_processor"}])
    assert validated(capsys, 0, "note") == [
        f"./{ALGORITHM}: algorithm.modules: incrementallearning does not use 'Stump', a dataset_processor"
    ]


def test_nothing_that_compares_two_models_is_missed(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(TESTENV, model_eval=...)
    (problem,) = validated(capsys, 1)
    assert "testenv.model_eval.model_metric is missing" in problem
    inside.edit(TESTENV, gate={"metric": "accuracy"})
    assert validated(capsys, 0) == []


def test_one_mistake_is_raised_as_it_is_and_several_together(inside: Bench) -> None:
    inside.edit(JOB, seeds=[1, 1], rank__save_mode="nothing")
    with pytest.raises(BenchmarkError, match=r"2 mistakes\n  .*save_mode.*\n  .*seeds") as caught:
        load_benchmark(JOB)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("words", [[JOB], ["-f", JOB], ["--benchmarking_config_file", JOB], [JOB, "-f", JOB]])
def test_the_file_may_be_given_by_its_place(
    inside: Bench, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", *words]) == 0
    assert f"{JOB}: valid, 2 test cases" in capsys.readouterr().out


@pytest.mark.parametrize("command", [[], ["validate"], ["export"], ["replay"]])
def test_two_different_files_are_refused(inside: Bench, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*command, JOB, "-f", "other.yaml"])
    assert f"one file at a time, not {JOB} and other.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["validate", "export", "replay"])
def test_no_file_at_all_is_refused(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([command])
    assert f"which file? ianvs {command} FILE" in capsys.readouterr().err


def test_a_benchmark_runs_by_the_place_of_its_file(bench: Bench) -> None:
    assert bench.run(JOB, "--no-report").returncode == 0
    assert len(bench.results()) == 2


def rewritten(file: str, change: Callable[[str], str]) -> Callable[[Path], Any]:
    return lambda folder: (folder / file).write_text(change((folder / file).read_text()))


def prefixed(file: str, line: str) -> Callable[[Path], Any]:
    return rewritten(file, lambda text: text.replace("\nimport os\n", f"\nimport os\n{line}\n", 1))


BASEMODEL, READING, METRIC = "algorithm/basemodel.py", "algorithm/reading.py", "testenv/accuracy.py"


def replaced(file: str, *pairs: tuple[str, str], end: str = "") -> Callable[[Path], Any]:
    def change(text: str) -> str:
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new)
        return text + end

    return rewritten(file, change)


WARNED = {
    "package": (prefixed(BASEMODEL, "import no_such_framework"), "basemodel.py:6: no module 'no_such_framework'"),
    "in a function": (replaced(READING, end="\n\ndef later():\n    import gone\n"), "reading.py:11: no module 'gone'"),
    "of a metric": (
        replaced(METRIC, ("import os\n", "import os\nimport gone.deeper\n")),
        ":3: no module 'gone.deeper'",
    ),
    "name of a neighbour": (prefixed(BASEMODEL, "from reading import colour_of"), "reading.py has no 'colour_of'"),
    "name of core": (prefixed(BASEMODEL, "from core.common.log import LOG"), "core.common.log has no LOG"),
    "module of core": (prefixed(BASEMODEL, "from core.op_extra import x"), "no module 'core.op_extra'"),
    "module of sedna": (prefixed(BASEMODEL, "import sedna.core.wishful"), "no module 'sedna.core.wishful'"),
    "name of sedna": (prefixed(BASEMODEL, "from sedna.common.errors import Oops"), "sedna.common.errors has no Oops"),
    "relative": (prefixed(BASEMODEL, "from .nowhere import x"), "no module .nowhere"),
    "alias": (
        replaced(BASEMODEL, ('alias="Stump"', 'alias="Other"')),
        "no file registers the basemodel 'Stump' (general); registered is: 'Close' (hard_example_mining), 'Other'",
    ),
    "alias of a metric": (
        replaced(METRIC, ('alias="accuracy"', 'alias="other"')),
        "no file registers the metric 'accuracy' (general)",
    ),
    "type of an alias": (
        replaced("algorithm/miner.py", ("ClassType.HEM", "ClassType.GENERAL")),
        "no file registers the hard_example_mining 'Close' (hard_example_mining)",
    ),
    "no url": (
        replaced(ALGORITHM, ('      url: "./algorithm/miner.py"\n', "")),
        "no file registers the hard_example_mining 'Close'",
    ),
}


@pytest.mark.parametrize("name", sorted(WARNED))
def test_what_would_fail_in_user_code_is_a_warning(
    inside: Bench, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, message = WARNED[name]
    change(inside.folder)
    warnings = validated(capsys, 0, "warning")
    assert [message in warning for warning in warnings].count(True) == 1, warnings


REGISTERED = '@ClassFactory.register(ClassType.GENERAL, alias="Stump")\n'
SILENT = {
    "guarded": prefixed(BASEMODEL, "try:\n    import gone\nexcept ImportError:\n    gone = None"),
    "only for types": prefixed(BASEMODEL, "if os.environ.get('X'):\n    import gone"),
    "path of its own": prefixed(BASEMODEL, "import sys\nsys.path.append('/x')\nimport gone"),
    "installed": prefixed(BASEMODEL, "import yaml.made_when_imported\nimport numpy as np, email.mime.text"),
    "neighbour": prefixed(BASEMODEL, "import reading\nfrom . import reading as again\nfrom reading import *"),
    "alias from a variable": replaced(BASEMODEL, (REGISTERED, "@ClassFactory.register(ClassType.GENERAL, NAME)\n")),
    "name of the class": replaced(
        BASEMODEL, (REGISTERED, "@ClassFactory.register(ClassType.GENERAL)\n"), ("BaseModel", "Stump")
    ),
    "registered by call": replaced(
        BASEMODEL, (REGISTERED, ""), end='\nClassFactory.register_cls(BaseModel, "general", alias="Stump")\n'
    ),
    "registered by a neighbour": lambda folder: (
        (folder / "algorithm" / "real.py").write_text((folder / BASEMODEL).read_text()),
        (folder / BASEMODEL).write_text("from real import BaseModel\n"),
    ),
    "dotted": lambda folder: (
        replaced(
            TESTENV, ("./testenv/accuracy.py", "ianvs.metrics.builtin"), ('name: "accuracy"', 'name: "label_accuracy"')
        )(folder),
        replaced(JOB, ('"accuracy"', '"label_accuracy"'))(folder),
    ),
}


@pytest.mark.parametrize("name", sorted(SILENT))
def test_what_cannot_be_known_or_is_fine_is_no_warning(
    inside: Bench, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_text() for path in inside.folder.glob("*/*.*") if path.is_file()}
    SILENT[name](inside.folder)
    assert any(path.read_text() != text for path, text in before.items())
    assert validated(capsys, 0, "warning") == []


def test_a_dotted_module_that_is_not_there_is_a_warning(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(ALGORITHM, modules=[{**MODEL, "url": "examples.nowhere.basemodel"}])
    warnings = validated(capsys, 0, "warning")
    assert "examples.nowhere.basemodel: no module" in warnings[0]


def test_a_built_in_without_a_url_is_no_warning(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    inside.edit(ALGORITHM, modules=[MODEL, {"type": "hard_example_mining", "name": "IBT"}])
    assert validated(capsys, 0, "warning") == []


def test_user_code_does_not_run(inside: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    trap = inside.folder / "algorithm" / "miner.py"
    trap.write_text(f"open('ran', 'w')\n{trap.read_text()}")
    assert validated(capsys, 0, "warning") == []
    assert not (inside.folder / "ran").exists()


def test_yaml_that_was_read_is_what_the_test_case_gets(inside: Bench) -> None:
    (inside.folder / "more.yaml").write_text(yaml.safe_dump({"start": 0.2}))
    (inside.folder / "other.yaml").write_text(yaml.safe_dump({"start": 0.3, "depth": 2}))
    files = {"other_hyperparameters": {"values": ["./more.yaml", "./other.yaml"]}}
    inside.edit(ALGORITHM, modules=[{**MODEL, "hyperparameters": [files]}])
    (combination,) = load_benchmark(JOB).algorithms[0].combinations()
    assert combination.modules[0].hyperparameters == {"start": 0.3, "depth": 2}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("./gone.yaml", "other_hyperparameters: './gone.yaml': no such file"),
        (3, "other_hyperparameters: 3: no such file"),
        ("./list.yaml", "list.yaml holds [1], not a mapping"),
        ("./broken.yaml", "broken.yaml:2: is not yaml"),
    ],
)
def test_a_file_of_hyperparameters_that_is_wrong_is_told_with_the_rest(
    inside: Bench, value: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (inside.folder / "list.yaml").write_text("[1]\n")
    (inside.folder / "broken.yaml").write_text("a: [\n")
    hyperparameters = [{"other_hyperparameters": {"values": [value]}}]
    inside.edit(ALGORITHM, modules=[{**MODEL, "url": "./lost.py", "hyperparameters": hyperparameters}])
    first, second = validated(capsys, 1)
    assert "modules[0].url" in first
    assert message in second


DOCUMENTS = {name: yaml.safe_load((STYLE / name).read_text()) for name in (JOB, TESTENV, ALGORITHM)}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from([JOB, "."])
KEYS = st.text(max_size=5) | st.integers() | st.sampled_from(["name", "url", "type"])
STRANGE = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container of a document, with each of its keys or positions."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in entries for place in [(value, key), *places(inner)]]


@given(data=st.data())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_files_reading_them_ends_in_findings(inside: Bench, data: st.DataObject) -> None:
    for name, document in DOCUMENTS.items():
        changed = copy.deepcopy(document)
        for _ in range(data.draw(st.integers(0, 3))):
            container, key = data.draw(st.sampled_from(places(changed)))
            container[key] = data.draw(STRANGE)
        (inside.folder / name).write_text(yaml.safe_dump(changed, allow_unicode=True))
    draft = read_benchmark(JOB)
    if not draft.findings.problems:
        assert draft.benchmark().algorithms
    assert all(str(problem) for problem in [*check(draft), *warnings(draft)] if problem)
