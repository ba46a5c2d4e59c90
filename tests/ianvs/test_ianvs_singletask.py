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
