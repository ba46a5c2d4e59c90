"""Single task learning, whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from ianvs_bench import Bench


@pytest.fixture
def single(bench: Bench) -> Bench:
    bench.edit(
        "benchmarkingjob.yaml", test_object__algorithms=[{"name": "stump", "url": "./algorithm/singletask.yaml"}]
    )
    bench.edit(
        "testenv/testenv.yaml",
        metrics=[{"name": "accuracy", "url": "./testenv/accuracy.py"}, {"name": "inference_latency_seconds"}],
    )
    return bench


def test_calls_are_upstreams(single: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = single.run(TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    folders = {path.name for path in single.workspace.glob("stump/*")}
    calls = trace.read_text().splitlines()
    assert len(calls) == 12
    folder = Path(calls[4].split()[1]).parents[2].name
    assert folder in folders
    out = f"./workspace/benchmarkingjob/stump/{folder}"
    start = "./initial_model/model.json"
    assert calls[:6] == [
        "init ['learning_rate']",
        f"train 100 None {start} None TRUE",
        f"load {start}",
        "save  True",
        f"load {out}/output/train/model.json",
        f"predict 40 {out}/output/inference/",
    ]


@pytest.mark.parametrize(("text", "expected"), [("self", 1), ("self, samples", 0), ("self, samples=()", 1)])
def test_preprocess_is_called_once_where_it_can_be(single: Bench, tmp_path: Path, text: str, expected: int) -> None:
    model = single.folder / "algorithm" / "basemodel.py"
    model.write_text(
        f"{model.read_text()}\n    def preprocess({text}):\n        trace('preprocess')\n        return 1\n"
    )
    single.edit("algorithm/singletask.yaml", modules=[{"type": "basemodel", "name": "Stump", "url": str(model)}])
    trace = tmp_path / "trace"
    assert single.run(TRACE_FILE=str(trace)).returncode == 0
    assert trace.read_text().split().count("preprocess") == expected


def test_seeds_are_run_and_summed_up(single: Bench) -> None:
    module = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}
    single.edit("algorithm/singletask.yaml", modules=[module])
    single.edit("benchmarkingjob.yaml", seeds=[0, 1], seed_parameter="seed")
    model = single.folder / "algorithm" / "basemodel.py"
    model.write_text(
        model.read_text().replace(
            'self.start = float(kwargs.get("start", 0.9))',
            'self.start = float(kwargs.get("start", 0.9))\n        trace("draw", kwargs["seed"], np.random.rand())',
        )
    )
    traces = []
    for number in range(2):
        trace = single.folder / f"trace{number}"
        done = single.run("-f", "benchmarkingjob.yaml", "--no-report", TRACE_FILE=str(trace))
        assert done.returncode == 0, done.stderr
        traces.append([line for line in trace.read_text().splitlines() if line.startswith("draw")])
    assert traces[0] == traces[1]
    assert len(set(traces[0])) == 2
    header, first, *_ = single.rank("all")
    assert "accuracy_ci95" in header
    assert first[header.index("seeds")] == "0 1"
    assert len(list(single.workspace.glob("stump/*/seed-1/result.json"))) == 2


QUANTISE = """#!/bin/sh
test "$3" = broken && { echo "no such type" >&2; exit 3; }
cp "$1" "$2" && echo "$3" >> "$2"
"""


@pytest.fixture
def compressing(single: Bench) -> Bench:
    """A basemodel that saves a gguf file, and a tool in place of llama.cpp's."""
    tool = single.folder / "quantise"
    tool.write_text(QUANTISE)
    tool.chmod(0o755)
    model = single.folder / "algorithm" / "basemodel.py"
    saved = 'os.path.join(model_path, "model.json")'
    assert saved in model.read_text()
    model.write_text(
        model.read_text().replace(saved, 'os.path.join(model_path, "model.gguf")').replace("self.load(base)", "pass")
        + "\n    def load(self, model_url=None):\n        trace('load', os.path.basename(model_url))\n"
    )
    module = {"type": "basemodel", "name": "Stump", "url": "./algorithm/basemodel.py"}
    single.edit(
        "algorithm/singletask.yaml",
        modules=[module],
        paradigm_type="singletasklearning_with_compression",
        mode="with_compression",
        llama_quantize_path="./quantise",
        quantization_type="q8_0",
    )
    return single


def test_a_trained_model_is_compressed_before_it_is_loaded(compressing: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    done = compressing.run(TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    assert "load model_q8_0.gguf" in trace.read_text().splitlines()
    (path,) = compressing.workspace.glob("stump/*/output/train/model_q8_0.gguf")
    assert path.read_text().endswith("q8_0\n")


def test_a_compression_without_its_tool_uses_the_model_as_it_is(compressing: Bench, tmp_path: Path) -> None:
    compressing.edit("algorithm/singletask.yaml", llama_quantize_path="./gone")
    trace = tmp_path / "trace"
    assert compressing.run(TRACE_FILE=str(trace)).returncode == 0
    assert "load model.gguf" in trace.read_text().splitlines()


def test_a_compression_that_fails_is_told(compressing: Bench) -> None:
    compressing.edit("algorithm/singletask.yaml", quantization_type="broken")
    done = compressing.run()
    assert done.returncode == 1
    assert "quantisation ended with code 3: no such type" in done.stderr


def test_packages_are_loaded_first_and_a_gpu_is_asked_for_by_environment(single: Bench, tmp_path: Path) -> None:
    (single.folder / "extra").mkdir()
    (single.folder / "extra" / "extra.py").write_text("import os\nos.environ['EXTRA'] = 'loaded'\n")
    model = single.folder / "algorithm" / "basemodel.py"
    told = 'trace("seen", os.environ["EXTRA"], os.environ.get("CUDA_VISIBLE_DEVICES"))'
    model.write_text(model.read_text().replace('trace("init"', f'{told}\n        trace("init"'))
    single.edit("algorithm/singletask.yaml", third_party_packages=[{"name": "extra", "url": "./extra/extra.py"}])
    single.edit("testenv/testenv.yaml", use_gpu=True)
    trace = tmp_path / "trace"
    assert single.run(TRACE_FILE=str(trace)).returncode == 0
    assert [line for line in trace.read_text().splitlines() if "seen" in line] == ["seen loaded 0"] * 2


def test_a_basemodel_without_train_is_told(single: Bench) -> None:
    model = single.folder / "algorithm" / "basemodel.py"
    model.write_text(f"{model.read_text()}\nBaseModel.train = None\n")
    done = single.run()
    assert done.returncode == 1
    assert "the basemodel 'Stump' has no method train" in done.stderr
