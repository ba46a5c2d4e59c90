from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from sedna.algorithms.continual.bench.plots import draw
from sedna.algorithms.continual.bench.protocols import DEFAULT_METHODS, PROTOCOLS, protocol_config
from sedna.algorithms.continual.bench.published import AVERAGE_ACCURACY, SECONDS_PER_TASK
from sedna.algorithms.continual.bench.report import BenchReport, half_width, markdown_table
from sedna.algorithms.continual.bench.runner import BenchPlan, folder_name, run_benchmark
from sedna.algorithms.continual.cli import bench_app, parse_seeds, train_app
from sedna.algorithms.continual.config import build_config, load_config, shipped_configs
from sedna.algorithms.continual.methods.registry import METHODS, method_class
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import NotFoundError, SpecError
from sedna.common.plugin import load_modules


def test_a_benchmark_writes_one_entry_a_method(tmp_path: Path) -> None:
    plan = BenchPlan("P-smoke", ("SFT", "DER+UDA"), (0, 1), work_dir=tmp_path, options=("train.iterations=4",))
    lines: list[str] = []
    report = run_benchmark(plan, lines.append)
    assert list(report.methods) == ["SFT", "DER+UDA"]
    entry = report.methods["DER+UDA"]
    assert len(entry.average_accuracy) == 3
    assert all(0 <= value <= 100 for value in entry.average_accuracy)
    assert entry.seeds == [0, 1]
    by_hand = sum(run.average_accuracy[-1] for run in entry.runs) / 2
    assert entry.average_accuracy[-1] == pytest.approx(by_hand, abs=1e-3)
    assert entry.intervals is not None
    assert len(entry.intervals) == 3
    first = [run.average_accuracy[0] for run in entry.runs]
    assert entry.intervals[0] == pytest.approx(half_width(first), abs=1e-3)
    assert entry.interval == pytest.approx(entry.intervals[-1], abs=1e-3)
    assert entry.seconds_per_iteration > 0
    assert entry.memory_bytes == entry.memory_detail["memory"] > 0 == report.methods["SFT"].memory_bytes
    assert any(line.startswith("DER+UDA seed 1: average accuracy") for line in lines)
    assert "| DER+UDA |" in markdown_table(report)
    again = run_benchmark(plan)
    assert again.methods["SFT"].runs == report.methods["SFT"].runs  # nothing was trained twice
    assert BenchReport.model_validate_json(report.model_dump_json()) == report
    paths = draw(report, tmp_path / "plots")
    assert all(path.read_text("utf-8").startswith("<?xml") for path in paths)


OWN = """
from sedna.algorithms.continual.methods.sft import SFT
from sedna.common.class_factory import ClassFactory, ClassType


@ClassFactory.register(ClassType.ALGORITHM, alias="half a step")
class Half(SFT):
    ALG_NAME = "half a step"

    def forward_train(self, batch):
        return {name: value / 2 for name, value in super().forward_train(batch).items()}
"""


def test_several_processes_give_the_same_figures_also_for_a_users_method(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    options = ("train.iterations=3", "data.num_tasks=1")
    methods, modules = ("ER", "half a step"), (tmp_path / "own.py",)
    load_modules(modules)
    alone = run_benchmark(BenchPlan("P-smoke", methods, (0,), options=options))
    pool = run_benchmark(
        BenchPlan("P-smoke", methods, (0,), options=options, jobs=2, work_dir=tmp_path / "w", modules=modules)
    )
    for name in methods:
        assert pool.methods[name].average_accuracy == alone.methods[name].average_accuracy
    assert (tmp_path / "w" / "ER-seed0").is_dir()


def test_a_users_method_is_trained_and_carries_terms(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN.replace("half a step", "half"))
    result = CliRunner().invoke(
        train_app,
        ["protocols/P-smoke", "--module", str(tmp_path / "own.py"), "--cfg-options", "method.name=half+FixMatch",
         "--cfg-options", "train.iterations=2", "--work-dir", str(tmp_path / "run")],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "half+FixMatch: average accuracy" in result.output
    for name, kind in METHODS.items():
        assert ClassFactory.get_cls(ClassType.ALGORITHM, name) is kind


def test_the_command_lines(tmp_path: Path) -> None:
    runner = CliRunner()
    target = tmp_path / "out.json"
    arguments = ["--protocol", "P-smoke", "--methods", "SFT,ER", "--seeds", "1", "--json", str(target)]
    outcome = runner.invoke(bench_app, [*arguments, "--cfg-options", "train.iterations=2"])
    assert outcome.exit_code == 0, outcome.output
    content = json.loads(target.read_text())
    for name in ("SFT", "ER"):
        entry = content["methods"][name]
        assert set(entry) >= {"average_accuracy", "forgetting", "seconds_per_iteration", "memory_bytes"}
        assert len(entry["average_accuracy"]) == 3
    outcome = runner.invoke(
        train_app,
        ["protocols/P-smoke", "--cfg-options", "method.name=ER", "--cfg-options", "train.iterations=2",
         "--work-dir", str(tmp_path / "run"), "--json", str(tmp_path / "run.json")],
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.output
    assert "ER: average accuracy after each task" in outcome.output
    assert json.loads((tmp_path / "run.json").read_text())["iterations"] == 6


@pytest.mark.parametrize(("text", "seeds"), [("3", (0, 1, 2)), ("0", (0,)), ("4,7", (4, 7)), ("5,", (5,)), ("1", (0,))])
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize("text", ["", "x", "-1", "1,-2"])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(SpecError, match="how many, or a list"):
        parse_seeds(text)


def test_mistakes_are_found_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unknown protocol"):
        run_benchmark(BenchPlan("P-6", ("SFT",), (0,)))
    with pytest.raises(SpecError, match="did you mean 'EdgeHML'"):
        run_benchmark(BenchPlan("P-smoke", ("SFT", "EdgeHLM"), (0,), work_dir=tmp_path / "w"))
    with pytest.raises(SpecError, match="PNN cannot learn class-il"):
        run_benchmark(BenchPlan("P-smoke", ("SFT", "PNN"), (0,), options=("data.cl_type=class-il",)))
    with pytest.raises(SpecError, match="nothing to run"):
        run_benchmark(BenchPlan("P-smoke", (), (0,)))
    assert not (tmp_path / "w").exists()


def test_mistakes_in_any_method_are_found_before_the_first_is_trained(tmp_path: Path) -> None:
    plan = BenchPlan("P-smoke", ("EdgeHML++", "SFT"), (0,), options=("method.options.replay=2",), work_dir=tmp_path)
    with pytest.raises(SpecError, match=r"method\.options of SFT"):
        run_benchmark(plan)
    assert list(tmp_path.iterdir()) == []
    for option in ("seed=5", "method.name=ER", "method={name: ER}"):
        with pytest.raises(SpecError, match="--seeds, --methods"):
            run_benchmark(BenchPlan("P-smoke", ("SFT",), (0,), options=(option,)))


def test_what_a_preset_keeps_against_an_option_is_told() -> None:
    lines: list[str] = []
    options = ("train.iterations=1", "data.num_tasks=1", "train.precision=bf16")
    run_benchmark(BenchPlan("P-smoke", ("EdgeHML-straightforward", "SFT"), (0,), options=options), lines.append)
    assert [line for line in lines if "keeps" in line] == ["EdgeHML-straightforward keeps its own train.precision=fp32"]


def test_the_folder_of_the_figures_is_made_before_anything_is_trained(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "down" / "x.json"
    arguments = ["--protocol", "P-smoke", "--methods", "SFT", "--seeds", "1", "--json", str(target)]
    options = ["--cfg-options", "train.iterations=1", "--cfg-options", "data.num_tasks=1"]
    outcome = CliRunner().invoke(bench_app, [*arguments, *options])
    assert outcome.exit_code == 0, outcome.output
    assert target.is_file()


def test_every_shipped_configuration_is_valid() -> None:
    names = shipped_configs()
    assert len(names) > 100
    for name in names:
        config = load_config(name)
        method_class(config.method)
    sets = {"split_semi_cifar10", "split_semi_cifar100", "split_semi_tiny_imagenet"}
    for group in sets:
        methods = {load_config(name).method.name for name in names if name.startswith(f"{group}/")}
        assert methods >= set(METHODS)
    domains = [load_config(name) for name in names if name.startswith("split_semi_domains/")]
    fit = {name for name, kind in METHODS.items() if "domain-il" in kind.ALG_COMPATIBILITY}
    assert {config.method.name for config in domains} >= fit
    assert all("domain-il" in method_class(config.method).ALG_COMPATIBILITY for config in domains)


def test_the_protocols_of_the_specification() -> None:
    sizes = {name: protocol_config(name, "SFT", 0) for name in PROTOCOLS}
    assert {n: (c.data.num_tasks, c.data.classes_per_task, c.train.iterations) for n, c in sizes.items()} == {
        "P-smoke": (3, 2, 30), "P-5": (5, 2, 150), "P-60": (20, 5, 250), "P-60b": (5, 2, 600), "P-full": (20, 5, 1000),
    }  # fmt: skip
    assert (sizes["P-full"].memory.capacity, sizes["P-full"].memory.disk_capacity) == (2000, 20000)
    assert sizes["P-full"].model.name == "cifar_resnet18"
    assert sizes["P-60"].memory.capacity == 500
    assert set(DEFAULT_METHODS) == set(PROTOCOLS)
    for methods in DEFAULT_METHODS.values():
        assert [method_class(protocol_config("P-60", name, 0).method) for name in methods]


def test_presets_bring_their_training_settings() -> None:
    assert protocol_config("P-60", "EdgeHML-straightforward", 0).train.precision == "fp32"
    ccic = protocol_config("P-60", "CCIC", 0).train
    assert (ccic.optimizer, ccic.learning_rate, ccic.weight_decay) == ("adam", 0.001, 0)
    own = load_config("split_semi_cifar100/ccic", ["train.learning_rate=0.01"]).train
    assert (own.optimizer, own.learning_rate) == ("adam", 0.01)
    assert protocol_config("P-60", "EdgeHML++-decay0005", 0).train.weight_decay == 0.0005
    assert folder_name(protocol_config("P-60", "DER+UDA", 2)) == "DERpUDA-seed2"
    names = [folder_name(protocol_config("P-60", name, 0)) for name in DEFAULT_METHODS["P-60"]]
    assert len(set(names)) == len(names)


def test_a_method_brings_training_settings_that_a_file_can_change() -> None:
    decay = {
        name: protocol_config("P-60", name, 0).train.weight_decay for name in ("EdgeHML++", "EdgeHML++-weak", "ER")
    }
    assert decay == {"EdgeHML++": 0.005, "EdgeHML++-weak": 0.005, "ER": 0.0005}
    content = {"method": {"name": "EdgeHML++"}, "train": {"weight_decay": 0.001}}
    assert build_config(content, where="test").train.weight_decay == 0.001
    assert build_config(content, where="test", chosen={"train": {"weight_decay": 0.0}}).train.weight_decay == 0


def test_a_protocol_gives_each_method_its_own_options() -> None:
    assert protocol_config("P-60b", "EdgeHML-skip", 0).method.options == {"lambda_unsup_replay": 0.1}
    won = protocol_config("P-60b", "EdgeHML", 0, options=["method.options.lambda_unsup_replay=0.2"])
    assert won.method.options == {"lambda_unsup_replay": 0.2}
    assert protocol_config("P-60b", "DER", 0).method.options == {}
    assert protocol_config("P-60", "EdgeHML", 0).method.options == {}
    with pytest.raises(SpecError, match=r"EdgeHLM"):
        build_config({"method_options": {"EdgeHLM": {}}}, where="here")


def test_methods_that_need_the_task_have_no_class_il_figure() -> None:
    plan = BenchPlan("P-smoke", ("SFT", "independent", "PNN", "CCIC"), (0,), options=("train.iterations=2",))
    methods = run_benchmark(plan).methods
    assert methods["SFT"].class_il_average_accuracy is not None
    assert [methods[name].class_il_average_accuracy for name in ("independent", "PNN", "CCIC")] == [None] * 3


def test_options_win_and_mistakes_in_them_are_named(tmp_path: Path) -> None:
    config = load_config("split_semi_cifar100/der", ["method.options.alpha=0.7", "train.iterations=5", "seed=3"])
    assert (config.method.options["alpha"], config.train.iterations, config.seed) == (0.7, 5, 3)
    with pytest.raises(SpecError, match=r"train\.iterationz"):
        load_config("split_semi_cifar100/der", ["train.iterationz=5"])
    with pytest.raises(SpecError, match=r"key\.path=value"):
        load_config("split_semi_cifar100/der", ["train"])
    with pytest.raises(SpecError, match=r"train is 5.*a section"):
        load_config("split_semi_cifar100/der", ["train=5"])
    assert load_config("split_semi_cifar100/der", root="/data/run #3").data.root == "/data/run #3"
    assert load_config("split_semi_cifar100/der", root="2026").data.root == "2026"
    with pytest.raises(SpecError, match="seed is no section"):
        load_config("split_semi_cifar100/der", ["seed=1", "seed.x=5"])
    with pytest.raises(NotFoundError, match="split_semi_cifar100/edgehml"):
        load_config("split_semi_cifar100/nothing")
    (tmp_path / "a.yaml").write_text("_base_: a.yaml\n")
    with pytest.raises(SpecError, match="in a circle"):
        load_config(tmp_path / "a.yaml")
    (tmp_path / "b.yaml").write_text("- 1\n")
    with pytest.raises(SpecError, match="not one mapping"):
        load_config(tmp_path / "b.yaml")
    with pytest.raises(SpecError, match="unknown"):
        build_config({"method": {"name": "nothing at all"}}, where="here")


def test_a_file_builds_on_shipped_configurations_and_on_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("_base_: split_semi_folder/er\ntrain: {iterations: 7}\ndata: {root: here}\n")
    (tmp_path / "own.yaml").write_text("_base_: base.yaml\ntrain: {learning_rate: 0.5}\n")
    config = load_config(tmp_path / "own.yaml")
    assert (config.method.name, config.data.kind, config.data.root) == ("ER", "folder", "here")
    assert (config.train.iterations, config.train.learning_rate) == (7, 0.5)
    (tmp_path / "own.yaml").write_text("_base_: split_semi_folder/err\n")
    with pytest.raises(NotFoundError, match="split_semi_folder/er"):
        load_config(tmp_path / "own.yaml")


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    plan = BenchPlan("P-smoke", ("SFT",), (0,), options=("train.device=cuda",), work_dir=tmp_path)
    with pytest.raises(SpecError, match="no CUDA device"):
        run_benchmark(plan)


def test_intervals_and_published_figures() -> None:
    assert half_width([50.0]) is None
    assert half_width([50.0, 52.0, 54.0]) == pytest.approx(4.303 * 2 / 3**0.5)
    assert all(len(curve) == 20 for curve in AVERAGE_ACCURACY.values())
    assert AVERAGE_ACCURACY["EdgeHML"][-1] == 55.09
    assert set(SECONDS_PER_TASK) == set(AVERAGE_ACCURACY)
