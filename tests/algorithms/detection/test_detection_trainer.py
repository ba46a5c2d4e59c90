"""The numerical promises of training: same bits, also after a kill; divergence undone; early stopping."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from algorithms.detection.detection_pictures import Source
from sedna.algorithms.detection.checkpoint import FILE_NAME
from sedna.algorithms.detection.config import FPNConfig
from sedna.algorithms.detection.fpn import BaseModel
from sedna.algorithms.detection.trainer import learning_rate
from sedna.algorithms.training.progress import TrainingProgress
from sedna.common.errors import ConflictError, ModelError, SpecError, TrainingDivergedError

WORKER = """
import json, sys
from sedna.algorithms.detection.fpn import BaseModel
job = json.loads(sys.argv[1])
class Source:
    x, y = job["lines"], None
def report(progress):
    print(progress.iteration, progress.note, flush=True)
model = BaseModel(**job["config"])
model.train(Source, checkpoint_dir=job["checkpoints"], progress=report)
model.save(job["output"])
"""


def weights(model: BaseModel) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(tiny: dict[str, Any], source: Source) -> None:
    results = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(results))  # nothing may depend on the state of torch's own generator
        model = BaseModel(**tiny, seed=seed)
        model.train(source)
        results.append(weights(model))
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def test_training_leaves_the_global_generator_alone(tiny: dict[str, Any], source: Source) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    BaseModel(**tiny).train(source)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("bf16", ["off", "on"])
def test_stopping_between_steps_and_going_on_gives_the_same_bits(
    tiny: dict[str, Any], source: Source, tmp_path: Path, optimizer: str, bf16: str
) -> None:
    config = {**tiny, "optimizer": optimizer, "bf16": bf16}
    whole = BaseModel(**config)
    whole.train(source)

    class StopError(Exception):
        pass

    def stop(progress: TrainingProgress) -> None:
        if progress.iteration >= 5 and not progress.note:
            raise StopError

    interrupted = BaseModel(**{**config, "max_iteration": 20})
    notes: list[str] = []
    resumed = BaseModel(**{**config, "max_iteration": 20})
    with pytest.raises(StopError):
        interrupted.train(source, checkpoint_dir=tmp_path, progress=stop)
    resumed.train(source, checkpoint_dir=tmp_path, progress=lambda progress: notes.append(progress.note))
    uninterrupted = BaseModel(**{**config, "max_iteration": 20})
    uninterrupted.train(source)
    assert notes[0].startswith("resumed at step ")
    assert same(weights(resumed), weights(uninterrupted))
    assert not same(weights(resumed), weights(whole))


def test_a_process_killed_twice_goes_on_to_the_same_bits(tiny: dict[str, Any], folder: Path, tmp_path: Path) -> None:
    lines = [str(folder / line) for line in (folder / "index.txt").read_text().splitlines()]
    config = {**tiny, "max_iteration": 40, "checkpoint_interval": 5}
    output = tmp_path / "killed.safetensors"
    job = {"lines": lines, "config": config, "checkpoints": str(tmp_path / "checkpoints"), "output": str(output)}
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WORKER, json.dumps(job)]

    for stop_at in (10, 20):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as worker:
            assert worker.stdout is not None
            for line in worker.stdout:
                if int(line.split()[0]) >= stop_at:
                    worker.send_signal(signal.SIGKILL)
                    break
        assert worker.returncode == -signal.SIGKILL
        assert not output.exists()
    last = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert "resumed at step" in last.stdout
    whole = BaseModel(**config)
    whole.train(Source(lines))
    whole.save(tmp_path / "whole.safetensors")
    assert output.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()


def test_a_finished_run_is_not_trained_again(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    first = BaseModel(**tiny)
    first.train(source, checkpoint_dir=tmp_path)
    again = BaseModel(**tiny)
    reports: list[TrainingProgress] = []
    result = again.train(source, checkpoint_dir=tmp_path, progress=reports.append)
    assert result["iterations"] == 8
    assert [report.iteration for report in reports] == [8, 8]
    assert same(weights(first), weights(again))


@pytest.mark.parametrize("change", ["config", "data", "weights"])
def test_a_checkpoint_of_another_run_is_refused(
    tiny: dict[str, Any], source: Source, tmp_path: Path, change: str
) -> None:
    BaseModel(**tiny).train(source, checkpoint_dir=tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    other = BaseModel(**{**tiny, "learning_rate": 0.1} if change == "config" else tiny)
    if change == "weights":
        other.train(source)
    data = Source(source.x[:-1], source.y[:-1]) if change == "data" else source
    with pytest.raises(ConflictError, match="with another configuration"):
        other.train(data, checkpoint_dir=tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_a_broken_checkpoint_is_named(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"rubbish")
    with pytest.raises(ModelError, match="is no checkpoint"):
        BaseModel(**tiny).train(source, checkpoint_dir=tmp_path)


def test_divergence_goes_back_lowers_the_rate_and_says_so(tiny: dict[str, Any], source: Source) -> None:
    # sgd without a clip at this rate blows up within a few steps; 0.01 of it does not
    wild = {
        "optimizer": "sgd",
        "learning_rate": 50,
        "gradient_clip": 0,
        "divergence_rate_cut": 0.01,
        "max_iteration": 16,
    }
    reports: list[TrainingProgress] = []
    model = BaseModel(**{**tiny, **wild, "schedule": "constant"})
    result = model.train(source, progress=reports.append)
    notes = [report.note for report in reports if "diverged" in report.note]
    assert 1 <= result["restores"] == len(notes) <= 3
    assert "back to step" in notes[0]
    assert reports[-1].learning_rate == pytest.approx(50 * 0.01 ** result["restores"])
    assert result["iterations"] == 16
    assert all(bool(torch.isfinite(value).all()) for value in weights(model).values())


def test_hopeless_divergence_ends_with_an_error_and_the_last_good_weights(tiny: dict[str, Any], source: Source) -> None:
    wild = {
        "optimizer": "sgd",
        "learning_rate": 1e6,
        "gradient_clip": 0,
        "divergence_rate_cut": 0.9,
        "max_iteration": 30,
    }
    model = BaseModel(**{**tiny, **wild, "divergence_restores": 2, "checkpoint_interval": 100})
    before = weights(model)
    with pytest.raises(TrainingDivergedError, match="this was time 3, 2 are allowed"):
        model.train(source)
    assert same(weights(model), before)


def test_early_stopping_keeps_the_best_weights(tiny: dict[str, Any], source: Source) -> None:
    # a vanishing rate: no look is better than the first one
    config = {
        **tiny,
        "learning_rate": 1e-30,
        "weight_decay": 0,
        "valid_interval": 3,
        "patience": 2,
        "max_iteration": 100,
    }
    model = BaseModel(**config)
    result = model.train(source, source)
    assert (result["stopped_early"], result["iterations"], result["best_iteration"]) == (True, 9, 3)
    assert result["valid"]["f1_macro"] == result["best_valid"]


def test_frozen_weights_stay(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(**tiny, freeze="backbone")
    before = weights(model)
    model.train(source)
    after = weights(model)
    changed = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert changed == {"pyramid", "head"}


def test_the_precision_probe_changes_no_weights_and_is_reported(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(**{**tiny, "bf16": "auto"})
    result = model.train(source)
    layout = "channels_last" if result["channels_last"] else "contiguous"
    pinned = BaseModel(**{**tiny, "bf16": "on" if result["bf16"] else "off", "memory_format": layout})
    assert pinned.train(source)["probe_seconds"] is None
    assert set(result["probe_seconds"]) == {
        "fp32 contiguous", "fp32 channels_last", "bf16 contiguous", "bf16 channels_last",
    }  # fmt: skip
    assert same(weights(model), weights(pinned))


def test_the_rate_warms_up_and_falls() -> None:
    config = FPNConfig(learning_rate=1.0, warmup_iterations=3, max_iteration=100)
    rates = [learning_rate(config, step) for step in range(100)]
    assert rates[0] == pytest.approx(0.25)
    assert max(rates) == pytest.approx(1.0, abs=0.01)
    assert rates[50] == pytest.approx(0.5)
    assert rates[-1] < 0.001
    constant = config.model_copy(update={"schedule": "constant"})
    assert [learning_rate(constant, step) for step in (3, 99)] == [1.0, 1.0]


def test_it_learns(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(
        **{**tiny, "max_iteration": 150, "learning_rate": 0.01, "fpn_channels": 16, "score_threshold": 0.3}
    )
    before = model.evaluate(source)["f1_macro"]
    model.train(source)
    assert before < 0.2
    assert model.evaluate(source)["f1_macro"] > 0.8


def test_the_checkpoint_is_plain_safetensors(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    BaseModel(**tiny).train(source, checkpoint_dir=tmp_path / "deep" / "folder")
    tensors = safetensors.torch.load_file(tmp_path / "deep" / "folder" / FILE_NAME)
    assert {key.split(".")[0] for key in tensors} == {"model", "optimizer"}
    assert [path.name for path in (tmp_path / "deep" / "folder").iterdir()] == [FILE_NAME]


def test_a_checkpoint_from_before_there_was_a_choice_of_layout_goes_on(
    tiny: dict[str, Any], source: Source, tmp_path: Path
) -> None:
    config = {**tiny, "bf16": "on", "memory_format": "channels_last"}

    class StopError(Exception):
        pass

    def stop(progress: TrainingProgress) -> None:
        if progress.iteration == 10:
            raise StopError

    config["max_iteration"] = 20
    with pytest.raises(StopError):
        BaseModel(**config).train(source, checkpoint_dir=tmp_path, progress=stop)
    path = tmp_path / FILE_NAME
    with safetensors.safe_open(path, "pt") as file:
        state = json.loads(file.metadata()["progress"])
    del state["channels_last"]
    state["probe_seconds"] = [0.2, 0.1]  # float32 and bfloat16, as they were once stored
    tensors = safetensors.torch.load_file(path)
    safetensors.torch.save_file(tensors, path, {"progress": json.dumps(state)})
    resumed, uninterrupted = BaseModel(**config), BaseModel(**config)
    result = resumed.train(source, checkpoint_dir=tmp_path)
    uninterrupted.train(source)
    assert result["probe_seconds"] == {"fp32 channels_last": 0.2, "bf16 channels_last": 0.1}
    assert same(weights(resumed), weights(uninterrupted))


def test_a_run_moved_to_a_machine_with_other_settings_goes_on_as_it_began(
    tiny: dict[str, Any], source: Source, tmp_path: Path
) -> None:
    config = {**tiny, "memory_format": "contiguous"}
    BaseModel(**config).train(source, checkpoint_dir=tmp_path)
    result = BaseModel(**{**config, "memory_format": "channels_last", "device": "cpu"}).train(
        source, checkpoint_dir=tmp_path
    )
    assert (result["iterations"], result["channels_last"]) == (8, False)


def test_both_layouts_learn_the_same_up_to_rounding(tiny: dict[str, Any], source: Source) -> None:
    losses = [BaseModel(**tiny, memory_format=name).train(source)["loss"] for name in ("contiguous", "channels_last")]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_a_gpu_that_is_not_there_is_refused_before_training(tiny: dict[str, Any], source: Source) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(SpecError, match=r"^FPN\.device: there is no CUDA device \(cpu or auto\)"):
        BaseModel(**tiny, device="cuda").train(source)
    assert BaseModel(**tiny).train(source)["device"] == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_the_same_seed_gives_the_same_bits_and_the_cpu_reads_what_it_leaves(
    tiny: dict[str, Any], source: Source, tmp_path: Path
) -> None:
    config = {**tiny, "device": "cuda", "onnx": True, "score_threshold": 0.005}
    first, second = BaseModel(**config), BaseModel(**config)
    assert first.train(source, checkpoint_dir=tmp_path / "run")["device"] == "cuda"
    second.train(source)
    assert same(weights(first), weights(second))
    path = first.save(tmp_path / "model")
    there = BaseModel(device="cpu")
    there.load(path)
    on_gpu, on_cpu = first.predict(source), there.predict(source)
    assert [len(rows) for rows in on_gpu] == pytest.approx([len(rows) for rows in on_cpu], abs=2)
    assert first.evaluate(source)["f1_micro"] == pytest.approx(there.evaluate(source)["f1_micro"], abs=0.05)
    resumed = BaseModel(**{**config, "device": "cpu"})
    assert resumed.train(source, checkpoint_dir=tmp_path / "run")["iterations"] == 8
