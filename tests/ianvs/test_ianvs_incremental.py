"""Incremental learning, whole: the calls, the environment and the folders of upstream; our optional keys."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ianvs_bench import Bench
from sedna.common.types import JobKey
from sedna.store import FolderStore
from sedna.store.datasets import DatasetEntry, DatasetPart, materialise
from sedna.store.layout import dataset_manifest_key
from sedna.store.node_cache import NodeCache

ONE_RATE = {
    "type": "basemodel",
    "name": "Stump",
    "url": "./algorithm/basemodel.py",
    "hyperparameters": [{"learning_rate": {"values": [1.0]}}],
}
MINER = {
    "type": "hard_example_mining",
    "name": "Close",
    "url": "./algorithm/miner.py",
    "hyperparameters": [{"distance": {"values": [0.3]}}],
}


def one_case(bench: Bench, **miner: Any) -> None:
    bench.edit("algorithm/incremental.yaml", modules=[ONE_RATE, {**MINER, **miner}])


def only(bench: Bench) -> dict[str, Any]:
    (result,) = bench.results()
    assert result["status"] == "done", result["failure"]
    return result


def distance(value: float) -> dict[str, Any]:
    return {"hyperparameters": [{"distance": {"values": [value]}}]}


def test_calls_and_environment_are_upstreams(bench: Bench, tmp_path: Path) -> None:
    one_case(bench)
    trace = tmp_path / "trace"
    done = bench.run(TRACE_FILE=str(trace))
    assert done.returncode == 0, done.stderr
    result = only(bench)
    (folder,) = bench.workspace.glob("stump_incremental/*")
    out = f"./workspace/benchmarkingjob/stump_incremental/{folder.name}"
    first, second, test = result["rounds"]
    new = [f"{out}/output/train/{number}/model.json" for number in (1, 2)]
    start = "./initial_model/model.json"

    def passes(tag: str, count: int) -> list[str]:
        return [f"predict 1 {out}/output/inference/results/{tag}"] * count

    def training(tag: int, hard: int, base: str) -> list[str]:
        results = f"{out}/output/inference/results/{tag}"
        return [
            f"train {hard} None {base} {out}/output/train/{tag} TRUE",
            f"load {base}",
            "save model.json False",
            f"evaluate 10 {new[tag - 1]} accuracy",
            f"load {new[tag - 1]}",
            f"predict 10 {results}",
            f"evaluate 10 {base} accuracy",
            f"load {base}",
            f"predict 10 {results}",
        ]

    assert (first["outcome"], second["outcome"]) == ("Rejected", "Deployed")
    assert [note for note in result["notes"] if "the store gets no dataset versions" in note]
    assert trace.read_text().splitlines() == [
        "init ['learning_rate']",
        f"load {start}",
        *passes("1", 40),
        *training(1, first["hard"], start),
        f"load {start}",
        *passes("2", 40),
        *training(2, second["hard"], start),
        f"load {new[1]}",
        *passes("test", 40),
    ]
    assert sorted(path.name for path in folder.glob("dataset/model_*")) == [
        "model_evaluation-1.txt",
        "model_evaluation-2.txt",
        "model_inference-1.txt",
        "model_inference-2.txt",
        "model_train-1.txt",
        "model_train-2.txt",
    ]
    assert len(list(folder.glob("output/inference/hard_examples/2/*"))) == second["hard"]
    hard = first["hard"] + second["hard"] + test["hard"]
    assert result["metrics"] == {"accuracy": 1.0, "samples_transfer_ratio": round(hard / 121, 4)}


def test_the_record_tells_what_ran_and_what_it_took(bench: Bench) -> None:
    one_case(bench)
    bench.edit("testenv/testenv.yaml", energy={"core_watts": 10}, edges=2)
    assert bench.run().returncode == 0
    result = only(bench)
    case = json.loads(next(bench.workspace.glob("*/*/case.json")).read_text())
    assert {"python", "numpy", "sedna-il"} <= set(case["versions"])
    assert set(case["files"]) == {"benchmarkingjob.yaml", "./testenv/testenv.yaml", "./algorithm/incremental.yaml"}
    assert case["seed"] == 0
    cost = result["cost"]
    assert cost["peak_memory_bytes"] > 1e6
    assert 0 < cost["algorithm_seconds"] <= cost["seconds"]
    assert cost["energy_joules"] is not None
    assert cost["uplink_bytes"] == sum(record["uplink_bytes"] for record in result["rounds"]) > 0
    deployed = next(record for record in result["rounds"] if record["outcome"] == "Deployed")
    model = next(bench.workspace.glob(f"*/*/output/train/{deployed['piece']}/model.json"))
    assert cost["downlink_bytes"] == 2 * model.stat().st_size
    assert sum(deployed["hard_by_edge"].values()) == deployed["hard"]
    assert set(deployed["hard_by_edge"]) == {"edge-1", "edge-2"}


def test_a_miner_that_never_fires_leaves_the_model_alone(bench: Bench) -> None:
    one_case(bench, **distance(-1.0))
    assert bench.run().returncode == 0
    result = only(bench)
    assert [record["hard"] for record in result["rounds"]] == [0, 0, 0]
    assert result["rounds"][0]["candidate"] is None
    assert result["metrics"]["samples_transfer_ratio"] == 0.0
    assert not list(bench.workspace.glob("*/*/output/train/*"))


def test_a_miner_that_always_fires_sends_everything(bench: Bench) -> None:
    one_case(bench, **distance(9.0))
    assert bench.run().returncode == 0
    result = only(bench)
    assert [record["hard"] for record in result["rounds"]] == [40, 40, 40]
    assert result["metrics"]["samples_transfer_ratio"] == round(120 / 121, 4)


def test_without_a_miner_nothing_is_hard(bench: Bench) -> None:
    bench.edit("algorithm/incremental.yaml", modules=[ONE_RATE])
    assert bench.run().returncode == 0
    assert [record["hard"] for record in only(bench)["rounds"]] == [0, 0, 0]


def test_a_production_trigger_gathers_samples_over_pieces(bench: Bench) -> None:
    one_case(bench)
    condition = {"operator": ">=", "threshold": 30, "metric": "num_of_samples"}
    bench.edit("testenv/testenv.yaml", trigger={"condition": condition})
    assert bench.run().returncode == 0
    first, second, _ = only(bench)["rounds"]
    assert first["candidate"] is None
    assert f"num_of_samples = {first['hard']}, not >= 30" in first["reason"]
    assert second["trained_on"] == first["hard"] + second["hard"]


def test_a_timer_looks_at_the_streams_time(bench: Bench) -> None:
    one_case(bench)
    bench.edit(
        "testenv/testenv.yaml",
        trigger={"timer": {"start": "01:30", "end": "02:30", "timeZone": "UTC"}},
        stream={"start": "2026-01-01T00:00:00+00:00", "seconds_per_round": 3600},
    )
    assert bench.run().returncode == 0
    first, second, _ = only(bench)["rounds"]
    assert "01:00 is outside" in first["reason"]
    assert second["outcome"] == "Deployed"


def test_replayed_samples_are_trained_on_again(bench: Bench) -> None:
    one_case(bench)
    bench.edit("testenv/testenv.yaml", replay={"samples": 5, "seed": 1})
    assert bench.run().returncode == 0
    first, second, _ = only(bench)["rounds"]
    assert (first["replayed"], second["replayed"]) == (0, 5)
    lines = next(bench.workspace.glob("*/*/dataset/model_train-2.txt")).read_text().splitlines()
    assert len(lines) == second["hard"] + 5
    assert sum("hard_examples/1/" in line for line in lines) == 5


def test_audited_samples_wake_a_precision_trigger(bench: Bench) -> None:
    one_case(bench, **distance(-1.0))
    bench.edit(
        "testenv/testenv.yaml",
        audit={"ratio": 0.5, "seed": 3},
        trigger={"precision": {"below": 0.95, "minSamples": 5}},
    )
    assert bench.run().returncode == 0
    rounds = only(bench)["rounds"]
    assert all(record["audited"] > 5 and record["hard"] == 0 for record in rounds[:2])
    woken = next(record for record in rounds if record["candidate"] is not None)
    assert woken["trained_on"] >= woken["audited"]


def test_versions_are_kept_as_in_production(bench: Bench) -> None:
    data = bench.own_data()
    for part in ("train_data", "test_data"):
        index = data / part / "index.txt"
        rows = [line.split() for line in index.read_text().splitlines()]
        folder = data / part
        index.write_text("".join(f"{folder / x} {(folder / y).read_text()}\n" for x, y in rows))
    accuracy = bench.folder / "testenv" / "accuracy.py"
    accuracy.write_text(
        accuracy.read_text().replace("label_of(path) for path in y_true", "int(label) for label in y_true")
    )
    text = accuracy.read_text()
    accuracy.write_text(re.sub(r"right = .*", "right = [a == int(t) for a, t in zip(answers.values(), y_true)]", text))
    model = bench.folder / "algorithm" / "basemodel.py"
    model.write_text(
        model.read_text().replace("int(number_of(path)) for path in train_data.y", "int(t) for t in train_data.y")
    )
    one_case(bench)
    done = bench.run()
    assert done.returncode == 0, done.stderr
    rounds = only(bench)["rounds"]
    (folder,) = bench.workspace.glob("stump_incremental/*")
    store = FolderStore(folder / "store")
    keys = [info.key for info in store.list("ianvs/stump-incremental/models/") if info.key.endswith("manifest.json")]
    assert [key.split("/")[3] for key in keys] == ["1", "2", "3"]
    manifest = json.loads(store.get("ianvs/stump-incremental/models/3/manifest.json"))
    assert (manifest["parent"], manifest["round"], manifest["dataset_version"]) == (1, 2, 2)
    key = dataset_manifest_key(JobKey(namespace="ianvs", name="stump-incremental"), 2)
    header, *entries = [json.loads(line) for line in store.get(key).splitlines()]
    assert header["counts"]["train"] == rounds[0]["hard"] + rounds[1]["hard"]
    assert header["counts"]["new_train"] == rounds[1]["hard"]
    assert header["class_names"] == ["0", "1"]
    assert {entry["part"] for entry in entries} == {DatasetPart.TRAIN.value, DatasetPart.EVAL.value}
    listed = [DatasetEntry.model_validate(entry) for entry in entries]
    index = bench.folder / "materialised.txt"
    job = JobKey(namespace="ianvs", name="stump-incremental")
    cache, pictures = NodeCache(bench.folder / "cache"), bench.folder / "pictures"
    found = materialise(store, job, listed, cache, pictures, index, parts=(DatasetPart.TRAIN,))
    assert found == rounds[0]["hard"] + rounds[1]["hard"]
    for line in index.read_text().splitlines():
        name, label = line.split()
        assert int(float(Path(name).read_text()) > 0.5) == int(label)


def with_per_sample_results(bench: Bench) -> None:
    model = bench.folder / "algorithm" / "basemodel.py"
    per_sample = (
        "        rows = [dict(sample=os.path.splitext(os.path.basename(x))[0], value=float(a[0] == number_of(y)))\n"
        "                for x, y, a in zip(data.x, data.y, self.predict(data.x).values())]\n"
        "        return {name: function(data.y, self.predict(data.x)), 'per_sample': rows}\n"
    )
    text = model.read_text().replace("        return {name: function(data.y, self.predict(data.x))}\n", per_sample)
    assert "per_sample" in text
    model.write_text(text)
    one_case(bench)


def test_the_gate_can_ask_for_more_evidence(bench: Bench) -> None:
    with_per_sample_results(bench)
    bench.edit("testenv/testenv.yaml", gate={"metric": "value", "confidence": 0.95, "minSamples": 11})
    assert bench.run().returncode == 0
    rounds = only(bench)["rounds"]
    assert rounds[1]["outcome"] == "Inconclusive"
    assert "10 judged samples, 11 needed" in rounds[1]["reason"]


def test_the_gate_looks_at_a_frozen_holdout(bench: Bench) -> None:
    with_per_sample_results(bench)
    bench.edit(
        "testenv/testenv.yaml",
        gate={"metric": "value", "maxRegression": 0.0},
        deploy_trigger={},
        dataset__holdout_index="./dataset/test_data/index.txt",
    )
    assert bench.run().returncode == 0
    second = only(bench)["rounds"][1]
    assert second["outcome"] == "Deployed"
    assert re.search(r"hold-out value 0\.\d+ -> 1\.0000 on 40 samples", second["reason"])
    assert "10 judged samples" in second["reason"]


def test_pieces_with_an_extra_one_in_front_keep_a_folder_each(bench: Bench) -> None:
    """fwt_splitting counts its pieces from 0; the rounds, and what each leaves, are counted from 1."""
    one_case(bench, **distance(9.0))
    setting = {"train_ratio": 0.8, "splitting_method": "fwt_splitting"}
    bench.edit("algorithm/incremental.yaml", incremental_learning_data_setting=setting)
    assert bench.run().returncode == 0
    rounds = only(bench)["rounds"]
    assert [(record["piece"], record["inferences"]) for record in rounds] == [("1", 1), ("2", 40), ("test", 40)]
    (folder,) = bench.workspace.glob("stump_incremental/*")
    for part in ("output/train", "output/inference/hard_examples"):
        assert {"1", "2"} <= {path.name for path in (folder / part).iterdir()}


def test_a_transfer_metric_of_ones_own_sees_what_was_observed(bench: Bench) -> None:
    one_case(bench)
    (bench.folder / "testenv" / "ratio.py").write_text(
        "from sedna.common.class_factory import ClassFactory, ClassType\n"
        "@ClassFactory.register(ClassType.GENERAL, alias='samples_transfer_ratio')\n"
        "def ratio(observed):\n"
        "    passes = observed['samples_transfer_ratio']\n"
        "    return [[len(answers), len(hard)] for answers, hard in passes]\n"
    )
    bench.edit("testenv/testenv.yaml", metrics=[{"name": "samples_transfer_ratio", "url": "./testenv/ratio.py"}])
    assert bench.run().returncode == 0
    result = only(bench)
    expected = [[record["inferences"], record["hard"]] for record in result["rounds"]]
    assert result["metrics"]["samples_transfer_ratio"] == expected
