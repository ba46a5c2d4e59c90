from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image

from sedna.algorithms.continual.data.synthetic import CLASS_NAMES, make_shapes
from sedna.algorithms.continual.job.config import JobConfig
from sedna.algorithms.continual.job.estimator import EdgeHMLEstimator
from sedna.algorithms.continual.job.model_file import read_model, short_hash
from sedna.algorithms.continual.job.round import run_config
from sedna.algorithms.continual.job.samples import read_labelled, read_pictures
from sedna.algorithms.continual.job.scores import classification_report
from sedna.algorithms.continual.transforms.pipeline import Normalisation, ViewPipeline
from sedna.algorithms.training.progress import TrainingProgress
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError, ModelError, NotFoundError, SpecError

NAMES = list(CLASS_NAMES)
FAST: dict[str, Any] = {
    "class_names": NAMES, "network": "conv2", "width": 8, "image_size": 16, "iterations": 40, "uratio": 2, "padding": 2,
    "precision": "fp32", "memory_format": "contiguous", "memory": 60, "disk_memory": 100, "onnx": False,
}  # fmt: skip


@dataclass
class Source:
    """What a data source of a job looks like."""

    x: list[str] = field(default_factory=list)
    y: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """120 pictures of six shapes as files, 20 a class, in turn."""
    folder = tmp_path_factory.mktemp("pictures")
    shapes = make_shapes(16, 20, seed=3)
    source = Source()
    for index, (pixels, label) in enumerate(zip(shapes.x_NCHW, shapes.y_N.tolist(), strict=True)):
        path = folder / f"shape {index}.png"
        Image.fromarray(np.ascontiguousarray(pixels.transpose(1, 2, 0))).save(path)
        source.x.append(str(path))
        source.y.append(NAMES[label])
    return source


def _part(source: Source, start: int, stop: int, classes: range = range(6)) -> Source:
    picked = [i for i in range(start, stop) if i % 6 in classes]
    return Source([source.x[i] for i in picked], [source.y[i] for i in picked])


def _both(first: Source, second: Source) -> Source:
    return Source(first.x + second.x, first.y + second.y)


def test_two_rounds_teach_new_classes_without_losing_the_old(pictures: Source, tmp_path: Path) -> None:
    first, second = _part(pictures, 0, 48, range(3)), _part(pictures, 0, 48, range(3, 6))
    held_out, unlabelled = _part(pictures, 84, 120), Source(_part(pictures, 48, 84).x)
    settings = {**FAST, "iterations": 300}
    estimator = EdgeHMLEstimator(**settings)
    estimator.train(first, unlabelled_data=unlabelled)
    estimator.save(tmp_path / "one.safetensors")
    after_one = estimator.evaluate(held_out)
    later = EdgeHMLEstimator(**settings)
    figures = later.train(_both(first, second), unlabelled_data=unlabelled, base_model_url=tmp_path / "one.safetensors")
    assert (figures["new_samples"], figures["remembered_samples"], figures["unlabelled_samples"]) == (24, 24, 36)
    assert figures["round"] == 2
    after_two = later.evaluate(held_out)
    assert after_one["recall"][3:] == [0, 0, 0]
    assert after_two["accuracy"] > after_one["accuracy"] + 0.15
    assert min(after_two["recall"][3:]) > 0
    assert sum(after_two["recall"][:3]) > 1.5


@pytest.mark.parametrize("method", ["SFT", "EdgeHML", "EdgeHML-budgeted", "ER", "DER+UDA"])
def test_methods_with_one_network_serve_a_job(method: str, pictures: Source) -> None:
    first, second = _part(pictures, 0, 24, range(3)), _part(pictures, 0, 24, range(3, 6))
    estimator = EdgeHMLEstimator(**{**FAST, "iterations": 4}, method=method)
    estimator.train(first)
    before = estimator.network.head.weight.detach().clone()
    figures = estimator.train(_both(first, second), unlabelled_data=Source(pictures.x[48:60]))
    assert (figures["new_samples"], figures["remembered_samples"]) == (12, 12)
    assert not torch.equal(before, estimator.network.head.weight)
    remembered = figures["memory_bytes"] // (3 * 16 * 16 + 3 * 8 + (6 * 4 if method.startswith("DER") else 0))
    assert remembered >= (0 if method == "SFT" else 12)


def test_what_is_saved_predicts_the_same_here_and_on_an_edge(pictures: Source, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from sedna.edge.runtime.onnx import open_onnx

    estimator = EdgeHMLEstimator(**{**FAST, "onnx": True, "method": "EdgeHML++", "iterations": 15})
    estimator.train(_part(pictures, 0, 36))
    path = estimator.save(tmp_path / "model")
    expected = estimator.predict(pictures.x[40:45])
    loaded = EdgeHMLEstimator()
    loaded.load(path)
    assert np.allclose(loaded.predict(pictures.x[40:45]), expected, atol=1e-5)
    assert [sum(row) for row in expected] == pytest.approx([1] * 5, abs=1e-5)
    runtime = open_onnx(Path(path).with_suffix(".onnx"), 1)
    served = runtime.predict([np.asarray(Image.open(name)) for name in pictures.x[40:45]])
    for answer, row in zip(served, expected, strict=True):
        assert answer.probabilities == pytest.approx(row, abs=1e-4)
    runtime.close()
    image = np.asarray(Image.open(pictures.x[0]))
    assert loaded.predict(image) == loaded.predict([Image.open(pictures.x[0])]) == loaded.predict(pictures.x[0])


def test_an_interrupted_round_goes_on_to_the_same_weights(pictures: Source, tmp_path: Path) -> None:
    class _StopError(Exception):
        pass

    def stop(progress: TrainingProgress) -> None:
        if progress.iteration == 20:
            raise _StopError

    labelled, seen = _part(pictures, 0, 36), []
    whole = EdgeHMLEstimator(**FAST, checkpoint_interval=10)
    whole.train(labelled, checkpoint_dir=tmp_path / "a", progress=seen.append)
    assert [progress.iteration for progress in seen] == [10, 20, 30, 40, 40]
    assert seen[0].max_iteration == 40
    assert seen[0].eta_seconds > 0 == seen[-1].eta_seconds
    with pytest.raises(_StopError):
        EdgeHMLEstimator(**FAST, checkpoint_interval=10).train(labelled, checkpoint_dir=tmp_path / "b", progress=stop)
    resumed = EdgeHMLEstimator(**FAST, checkpoint_interval=10)
    resumed.train(labelled, checkpoint_dir=tmp_path / "b")
    expected, got = whole.network.state_dict(), resumed.network.state_dict()
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_a_round_with_one_new_class_learns_from_everything(pictures: Source) -> None:
    estimator = EdgeHMLEstimator(**{**FAST, "iterations": 5})
    estimator.train(_part(pictures, 0, 24, range(3)))
    figures = estimator.train(_both(_part(pictures, 0, 24, range(3)), _part(pictures, 0, 24, range(4, 5))))
    assert (figures["new_samples"], figures["remembered_samples"]) == (16, 0)


def test_classes_may_be_added_but_not_taken_away(pictures: Source, tmp_path: Path) -> None:
    small = EdgeHMLEstimator(**{**FAST, "class_names": NAMES[:3], "iterations": 5})
    small.train(_part(pictures, 0, 24, range(3)))
    small.save(tmp_path / "m.safetensors")
    grown = EdgeHMLEstimator(**{**FAST, "class_names": [NAMES[5], *NAMES[:3]]})
    grown.load(tmp_path / "m.safetensors")
    assert torch.equal(grown.network.head.weight[1:], small.network.head.weight)
    with pytest.raises(ModelError, match=r"knows disc, cross, class_names does not"):
        EdgeHMLEstimator(**{**FAST, "class_names": ["square", "new"]}).load(tmp_path / "m.safetensors")
    with pytest.raises(SpecError, match="the model has image_size=16"):
        EdgeHMLEstimator(image_size=32).load(tmp_path / "m.safetensors")
    learnt = read_labelled(_part(pictures, 0, 24, range(3)), NAMES[:3], 16)
    assert read_model(tmp_path / "m.safetensors").seen == {short_hash(picture) for picture in learnt.x_NCHW}


@pytest.mark.parametrize("key", ["head.weight", "head.bias"])
def test_a_head_of_another_shape_is_refused_where_classes_are_added(key: str, pictures: Source, tmp_path: Path) -> None:
    small = EdgeHMLEstimator(**{**FAST, "class_names": NAMES[:3], "iterations": 1})
    small.train(_part(pictures, 0, 24, range(3)))
    path = Path(small.save(tmp_path / "m.safetensors"))
    with safetensors.safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = safetensors.torch.load_file(path)
    tensors[key] = torch.zeros(3, 7)
    safetensors.torch.save_file(tensors, path, metadata)
    with pytest.raises(ModelError, match=rf"m\.safetensors: weights do not fit: .*{key}"):
        EdgeHMLEstimator(**{**FAST, "class_names": NAMES}).load(path)


def test_pictures_are_told_by_their_pixels_and_not_by_their_names(tmp_path: Path) -> None:
    def write(folder: str, names: range, seed: int) -> list[str]:
        (tmp_path / folder).mkdir(exist_ok=True)
        paths = [tmp_path / folder / f"{name}.png" for name in names]
        for path, pixels in zip(paths, np.random.default_rng(seed).integers(0, 256, (99, 16, 16, 3)), strict=False):
            Image.fromarray(pixels.astype(np.uint8)).save(path)
        return [str(path) for path in paths]

    first = [(path, "square") for path in write("a", range(4), 1)] + [
        (path, "disc") for path in write("b", range(4), 2)
    ]
    later = [(path, "square") for path in write("c", range(4), 3)] + [
        (path, "disc") for path in write("d", range(4), 4)
    ]
    moved = [(path, "square") for path in write("e", range(7, 11), 1)]
    estimator = EdgeHMLEstimator(**{**FAST, "iterations": 2})
    estimator.train(Source(*map(list, zip(*first, strict=True))))
    answer = estimator.train(Source(*map(list, zip(*moved, *first[4:], *later, strict=True))))
    assert (answer["new_samples"], answer["remembered_samples"]) == (8, 8)


def test_validation_without_pictures_is_refused_before_training(pictures: Source) -> None:
    told: list[object] = []
    with pytest.raises(DataError):
        EdgeHMLEstimator(**FAST).train(_part(pictures, 0, 24), valid_data=Source([], []), progress=told.append)
    assert told == []


def test_a_round_that_goes_on_is_not_told_as_done(pictures: Source, tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(progress: TrainingProgress) -> None:
        if progress.iteration:
            raise StopError

    settings = {**FAST, "iterations": 4, "checkpoint_interval": 2}
    with pytest.raises(StopError):
        EdgeHMLEstimator(**settings).train(_part(pictures, 0, 24), checkpoint_dir=tmp_path, progress=stop)
    told: list[TrainingProgress] = []
    EdgeHMLEstimator(**settings).train(_part(pictures, 0, 24), checkpoint_dir=tmp_path, progress=told.append)
    assert (told[0].iteration, told[0].note) == (2, "resumed")
    assert told[-1].iteration == 4
    fresh: list[TrainingProgress] = []
    (tmp_path / "fresh").mkdir()
    with pytest.raises(StopError):
        EdgeHMLEstimator(**{**settings, "checkpoint_interval": 3}).train(
            _part(pictures, 0, 24), checkpoint_dir=tmp_path / "fresh", progress=_stop_at_once(fresh, StopError)
        )
    EdgeHMLEstimator(**{**settings, "checkpoint_interval": 3}).train(
        _part(pictures, 0, 24), checkpoint_dir=tmp_path / "fresh", progress=fresh.append
    )
    assert max(progress.iteration for progress in fresh[:-1]) <= 3


def _stop_at_once(told: list[TrainingProgress], error: type[Exception]) -> Callable[[TrainingProgress], None]:
    def stop(progress: TrainingProgress) -> None:
        told.append(progress)
        raise error

    return stop


def test_a_model_that_must_not_mirror_does_not(pictures: Source, tmp_path: Path) -> None:
    estimator = EdgeHMLEstimator(**{**FAST, "method": "EdgeHML++", "iterations": 2})
    estimator.train(_part(pictures, 0, 24))
    estimator.save(tmp_path / "m.safetensors")
    upright = EdgeHMLEstimator(flip=False)
    upright.load(tmp_path / "m.safetensors")
    both = EdgeHMLEstimator()
    both.load(tmp_path / "m.safetensors")
    paths = pictures.x[:3]
    assert not np.allclose(upright.predict(paths), both.predict(paths))
    x = upright.network(
        ViewPipeline(Normalisation(upright.config.mean, upright.config.std)).normalise(read_pictures(paths, 16))
    )
    assert np.allclose(upright.predict(paths), x.softmax(1).detach().numpy(), atol=1e-6)


def test_bad_samples(pictures: Source, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(Path(pictures.x[0]).read_bytes()[:60])
    estimator = EdgeHMLEstimator(**{**FAST, "iterations": 3})
    good = _part(pictures, 0, 24)
    with pytest.raises(DataError, match=r"broken\.png: the picture is damaged"):
        estimator.train(_both(good, Source([str(broken)], ["disc"])))
    with caplog.at_level("WARNING", "sedna"):
        figures = estimator.train(good, unlabelled_data=Source([pictures.x[30], str(broken), pictures.x[31]]))
    assert figures["unlabelled_samples"] == 2
    assert "broken.png" in caplog.text
    with pytest.raises(DataError, match=r"unknown label 'cube' .*disc, square"):
        estimator.train(_both(good, Source([pictures.x[0]], ["cube"])))
    with pytest.raises(DataError, match="fewer than two classes"):
        EdgeHMLEstimator(**FAST).train(_part(pictures, 0, 24, range(1)))
    with pytest.raises(NotFoundError, match=r"absent\.png: there is no such file"):
        estimator.predict([tmp_path / "absent.png"])
    with pytest.raises(DataError, match=r"float64 \(4, 4\)"):
        estimator.predict([np.zeros((4, 4))])


def test_bad_parameters() -> None:
    with pytest.raises(SpecError, match="unknown hyper-parameter learning_ratte"):
        EdgeHMLEstimator(learning_ratte=0.1)
    with pytest.raises(SpecError, match=r"EdgeHML\.iterations"):
        EdgeHMLEstimator(iterations="many")
    with pytest.raises(SpecError, match="no class names"):
        EdgeHMLEstimator().predict([])
    with pytest.raises(SpecError, match="PNN cannot be the algorithm of a job"):
        run_config(JobConfig.build({"method": "PNN"}))
    values = {
        "class_names": "a, b",
        "iterations": "7",
        "mean": "[1, 2, 3]",
        "method_options": '{"replay": 4}',
        "onnx": "no",
    }
    config = JobConfig.build(values)
    assert (config.class_names, config.iterations, config.mean) == (("a", "b"), 7, (1, 2, 3))
    assert (config.method_options, config.onnx) == ({"replay": 4}, False)


@pytest.mark.parametrize(
    ("values", "decay"),
    [
        ({}, 0.005),
        ({"method": "EdgeHML"}, 0.0005),
        ({"method": "EdgeHML++-decay0005", "weight_decay": "0.1"}, 0.1),
        ({"weight_decay": "0.01"}, 0.01),
        ({"weight_decay": "null"}, 0.005),
    ],
)
def test_weight_decay_is_the_methods_own_unless_it_is_named(values: dict[str, str], decay: float) -> None:
    assert run_config(JobConfig.build(values)).train.weight_decay == decay


def test_files_that_are_no_models(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="is no EdgeHML model"):
        EdgeHMLEstimator().load(tmp_path)
    with pytest.raises(ModelError, match="no such file"):
        EdgeHMLEstimator().load(tmp_path / "absent")


def test_figures_by_hand() -> None:
    p = np.eye(3, dtype=np.float32)[[0, 1, 1, 2]]
    report = classification_report(("a/x.png", "y", "z", "w"), p, np.asarray([0, 1, 2, 2]))
    assert report["accuracy"] == 0.75
    assert report["precision"] == [1.0, 0.5, 1.0]
    assert report["recall"] == [1.0, 1.0, 0.5]
    assert report["f1"] == pytest.approx([1, 2 / 3, 2 / 3])
    assert report["per_sample"][0] == {"sample": "x", "tp": [1, 0, 0], "fp": [0, 0, 0], "fn": [0, 0, 0]}
    assert report["per_sample"][2] == {"sample": "z", "tp": [0, 0, 0], "fp": [0, 1, 0], "fn": [0, 0, 1]}
    from sedna.loop.evidence import ModelScores, statistic

    scores = ModelScores.from_report(report)
    assert statistic("accuracy", scores.per_sample) == pytest.approx(0.75)


def test_a_benchmark_metric_gets_truth_and_answers(pictures: Source) -> None:
    estimator = EdgeHMLEstimator(**FAST)

    def share(truth: list[int], answers: list[int]) -> float:
        return sum(t == a for t, a in zip(truth, answers, strict=True)) / len(truth)

    report = estimator.evaluate(_part(pictures, 0, 24), metric=("share", share))
    assert report["share"] == pytest.approx(report["accuracy"])


def test_it_is_found_by_name_and_runs_as_a_worker(pictures: Source, tmp_path: Path) -> None:
    assert ClassFactory.get_cls(ClassType.GENERAL, "EdgeHML") is EdgeHMLEstimator
    labelled, unlabelled = tmp_path / "train.txt", tmp_path / "unlabelled.txt"
    part = _part(pictures, 0, 36)
    labelled.write_text("".join(f"{x} {y}\n" for x, y in zip(part.x, part.y, strict=True)))
    unlabelled.write_text("".join(f"{x}\n" for x in pictures.x[60:90]))
    parameters = {key: value for key, value in FAST.items() if key != "class_names"}
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "ALGORITHM": "EdgeHML", "ALGORITHM_PARAMETERS": json.dumps({**parameters, "iterations": 10}),
        "CLASS_NAMES": json.dumps(NAMES), "TRAIN_DATASET_URL": str(labelled), "UNLABELLED_DATASET_URL": str(unlabelled),
        "MODEL_URL": str(tmp_path / "out"), "MODEL_NAME": "model.safetensors", "LC_SERVER": "",
        "REPORT_PATH": str(tmp_path / "report.json"), "PROGRESS_PATH": str(tmp_path / "progress.jsonl"),
        "CHECKPOINT_DIR": str(tmp_path / "checkpoint"), "WORKER_NAME": "train-worker", "JOB_NAME": "shapes",
    }  # fmt: skip
    command = [sys.executable, "-m", "sedna.core.incremental_learning.worker", "train"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["status"] == "completed"
    metrics = report["results"][0]["metrics"]
    assert (metrics["new_samples"], metrics["unlabelled_samples"]) == (36, 30)
    assert read_model(tmp_path / "out" / "model.safetensors").header.class_names == tuple(NAMES)
    assert "iteration" in json.loads((tmp_path / "progress.jsonl").read_text().splitlines()[-1])
