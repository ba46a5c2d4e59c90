from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from sedna.algorithms.continual.cli import train_app
from sedna.algorithms.continual.config import load_config
from sedna.algorithms.continual.data.sets import build_tasks
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator
from sedna.algorithms.continual.training.trainer import Trainer
from sedna.algorithms.training.model_file import model_path
from sedna.common.errors import SpecError

OPTIONS = ["data.num_tasks=2", "train.iterations=3", "train.precision=fp32", "train.memory_format=contiguous"]


def _train(method: str, folder: Path, *arguments: str) -> object:
    options = [f"method.name={method}", *OPTIONS]
    told = [argument for option in options for argument in ("--cfg-options", option)]
    return CliRunner().invoke(
        train_app, ["protocols/P-smoke", *told, "--work-dir", str(folder / "run"), *arguments], catch_exceptions=False
    )


@pytest.mark.parametrize("method", ["EdgeHML++", "ER"])
def test_a_trained_network_is_a_model_that_jobs_and_edges_open(method: str, tmp_path: Path) -> None:
    outcome = _train(method, tmp_path, "--model", str(tmp_path / "first"))
    assert outcome.exit_code == 0  # type: ignore[attr-defined]
    config = load_config("protocols/P-smoke", [f"method.name={method}", *OPTIONS])
    tasks = build_tasks(config.data, config.seed)
    trainer = Trainer(config, tasks, tmp_path / "run")
    trainer.run()  # it was finished, and is read back
    pictures = tasks[1].test.x_NCHW
    trainer.method.set_mode(training=False)
    with torch.no_grad():
        expected = trainer.method.predict(tasks.pipeline.normalise(pictures), 1).softmax(1).numpy()
    estimator = EdgeHMLEstimator()
    estimator.load(tmp_path / "first")
    assert estimator.config.class_names == tuple(tasks.class_names)
    assert np.allclose(estimator.predict(list(pictures.transpose(0, 2, 3, 1))), expected, atol=1e-5)
    session = onnxruntime.InferenceSession(tmp_path / "first" / "model.onnx", providers=["CPUExecutionProvider"])
    assert np.allclose(session.run(None, {"pixels": pictures})[0], expected, atol=1e-4)


def test_a_model_is_not_written_over_its_own_onnx_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"first\.onnx: is no place for a model"):
        _train("ER", tmp_path, "--model", str(tmp_path / "first.onnx"))
    assert not (tmp_path / "run").exists()
    assert model_path(tmp_path / "v1.0") == tmp_path / "v1.0" / "model.safetensors"
    assert model_path("a/b.safetensors") == Path("a/b.safetensors")


def test_a_method_without_one_network_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="--model: PNN cannot be the algorithm of a job"):
        _train("PNN", tmp_path, "--model", str(tmp_path / "first"))
    assert not (tmp_path / "run").exists()
