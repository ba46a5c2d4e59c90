"""The estimator contract: what job engines and upstream's examples call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import sedna.algorithms  # noqa: F401 - promises the built-ins
from algorithms.detection.detection_pictures import Source
from sedna.algorithms.detection.fpn import BaseModel
from sedna.algorithms.detection.predictor import forward
from sedna.algorithms.training.progress import TrainingProgress
from sedna.common.class_factory import ClassFactory, ClassType
from sedna.common.errors import DataError, ModelError, SpecError

NAMES = ("full", "hollow")


def test_the_factory_knows_it() -> None:
    assert ClassFactory.get_cls(ClassType.GENERAL, "FPN") is BaseModel


def test_an_unknown_hyper_parameter_is_a_user_error() -> None:
    with pytest.raises(SpecError, match="unknown hyper-parameter steps"):
        BaseModel(steps=3)


def test_it_can_be_made_without_arguments_and_told_the_rest_by_train(source: Source, tiny: dict[str, Any]) -> None:
    model = BaseModel()
    result = model.train(
        train_data=source,
        valid_data=None,
        **{key: str(value) for key, value in tiny.items() if key != "class_names"},
        class_names="full,hollow",
    )
    assert result["iterations"] == 8
    assert result["samples"] == 12
    assert "valid" not in result


def test_raw_upstream_lines_are_found_beside_the_original_index(
    folder: Path, tiny: dict[str, Any], source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the environment is the interface here: it is how upstream's workers learn the folder of relative paths
    monkeypatch.setenv("ORIGINAL_DATASET_URL", str(folder / "index.txt"))
    lines = np.asarray((folder / "index.txt").read_text().splitlines())
    from_files, in_memory = BaseModel(**tiny), BaseModel(**tiny)
    from_files.train(Source(lines))
    in_memory.train(source)
    assert from_files.predict(source) == in_memory.predict(source)
    figures = from_files.evaluate(Source(lines))
    assert [sample["sample"] for sample in figures["per_sample"]] == [f"p{number}" for number in range(12)]
    with_split = Source(lines)
    monkeypatch.delenv("ORIGINAL_DATASET_URL")
    monkeypatch.setenv("TRAIN_DATASET_URL", str(folder / "split.txt"))
    assert from_files.evaluate(with_split) == figures


def test_predictions_have_upstreams_row_shape(tiny: dict[str, Any], source: Source, folder: Path) -> None:
    model = BaseModel(**tiny, score_threshold=0.005)
    model.train(source)
    paths = [folder / f"p{number}.png" for number in range(12)]
    from_source = model.predict(source)
    assert from_source == model.predict(paths) == model.predict([Image.open(path) for path in paths])
    assert from_source[3] == model.predict(source.x[3])[0]
    rows = [row for rows in from_source for row in rows]
    assert rows
    for x1, y1, x2, y2, score, label in rows:
        assert 0 <= x1 < x2 <= 64
        assert 0 <= y1 < y2 <= 64
        assert 0.005 <= score <= 1
        assert label in (0, 1)
        assert isinstance(label, int)
    assert [row[4] for row in from_source[0]] == sorted((row[4] for row in from_source[0]), reverse=True)
    assert model.predict(source, score_threshold="1.0") == [[]] * 12
    assert model.predict([]) == []


def test_batching_does_not_change_predictions(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(**tiny).model
    one, many = (list(forward(model, source.x, 64, size)) for size in (1, 5))
    assert len(one) == len(many) == 12
    for mine, other in zip(one, many, strict=True):
        np.testing.assert_allclose(mine.scores_NK, other.scores_NK, atol=1e-5)
        np.testing.assert_allclose(mine.boxes_N4, other.boxes_N4, atol=1e-2)


def test_a_corrupt_picture_is_named_when_predicting_and_training(
    tiny: dict[str, Any], source: Source, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"rubbish")
    model = BaseModel(**tiny)
    with pytest.raises(DataError, match=r"bad\.png"):
        model.predict([*source.x[:2], bad])
    with pytest.raises(DataError, match=r"bad\.png"):
        model.train(Source([bad], [[]]))


def test_training_without_pictures_is_an_error(tiny: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="no training pictures"):
        BaseModel(**tiny).train(Source([], []))


def test_evaluate_loads_the_model_it_is_told(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    good = BaseModel(
        **{**tiny, "max_iteration": 100, "learning_rate": 0.01, "fpn_channels": 16, "score_threshold": 0.3}
    )
    good.train(source)
    poor = BaseModel(**{**tiny, "fpn_channels": 16, "score_threshold": 0.3})
    urls = [good.save(tmp_path / "good.safetensors"), poor.save(tmp_path / "poor.safetensors")]
    fresh = BaseModel()
    new, old = (fresh.evaluate(data=source, model_path=url) for url in urls)
    assert new["f1_macro"] > old["f1_macro"] + 0.3
    assert new == good.evaluate(source)
    assert {key: len(new[key]) for key in ("precision", "recall", "f1", "per_sample")} == {
        "precision": 2, "recall": 2, "f1": 2, "per_sample": 12,
    }  # fmt: skip
    assert set(new) >= {"f1_macro", "f1_micro", "map", "map50", "precision_micro", "recall_micro"}
    assert old["map"] <= new["map"] <= new["map50"] <= 1


def test_what_is_judged_is_what_edges_serve(tiny: dict[str, Any], source: Source, tmp_path: Path) -> None:
    model = BaseModel(**{**tiny, "onnx": True, "max_iteration": 100, "learning_rate": 0.01, "score_threshold": 0.3})
    model.train(source)
    path = Path(model.save(tmp_path / "m.safetensors"))
    served, weights = BaseModel(), BaseModel(onnx=False)
    by_onnx, by_torch = (judge.evaluate(source, model_path=path) for judge in (served, weights))
    assert by_onnx["f1_micro"] == pytest.approx(by_torch["f1_micro"], abs=0.02)
    damaged = path.with_suffix(".onnx")
    damaged.write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be opened"):
        BaseModel().evaluate(source, model_path=path)
    assert weights.evaluate(source, model_path=path) == by_torch


def test_a_benchmarks_metric_is_added(tiny: dict[str, Any], source: Source) -> None:
    def count(truth: Any, predicted: Any) -> float:
        return float(len(truth) + len(predicted))

    assert BaseModel(**tiny).evaluate(source, metric=("counted", count))["counted"] == 24.0


def test_training_goes_on_from_the_base_model(
    tiny: dict[str, Any], source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = BaseModel(**tiny)
    base.train(source)
    url = base.save(tmp_path)

    def after(**kwargs: Any) -> list[Any]:
        model = BaseModel(**tiny, score_threshold=0.005)
        model.train(source, max_iteration=2, **kwargs)
        return model.predict(source)

    by_argument = after(base_model_url=url)
    assert by_argument != after()
    monkeypatch.setenv("BASE_MODEL_URL", url)
    assert by_argument == after()
    monkeypatch.setenv("BASE_MODEL_URL", str(tmp_path / "nowhere"))
    with pytest.raises(ModelError, match="nowhere"):
        after()


def test_epochs_grow_with_the_data(tiny: dict[str, Any], source: Source) -> None:
    assert BaseModel(**tiny, epochs=2).train(source)["iterations"] == 6  # 2 * 12 pictures in batches of 4


def test_zero_steps_leave_the_weights(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(**tiny, score_threshold=0.005)
    before = model.predict(source)
    result = model.train(source, max_iteration=0)
    assert (result["iterations"], result["loss"]) == (0, None)
    assert model.predict(source) == before


def test_what_the_weights_depend_on_cannot_change_later(tiny: dict[str, Any], source: Source) -> None:
    model = BaseModel(**tiny)
    model.train(source)
    model.train(source, class_names=NAMES, max_iteration=1)
    with pytest.raises(SpecError, match="backbone, class_names cannot change"):
        model.train(source, backbone="resnet18", class_names="a,b")


def test_progress_tells_steps_speed_and_end(tiny: dict[str, Any], source: Source) -> None:
    reports: list[TrainingProgress] = []
    BaseModel(**{**tiny, "max_iteration": 25}).train(source, progress=reports.append)
    assert [report.iteration for report in reports] == [10, 20, 25]
    assert [report.note for report in reports] == ["", "", "finished"]
    assert all(report.samples_per_second > 0 and report.eta_seconds >= 0 for report in reports)
    assert all(report.max_iteration == 25 and report.loss > 0 for report in reports)


def test_the_threads_of_the_process_are_its_own_again(tiny: dict[str, Any], source: Source) -> None:
    before = torch.get_num_threads()
    model = BaseModel(**{**tiny, "threads": before + 1})
    assert model.train(source, source)["threads"] == before + 1
    model.predict(source)
    assert torch.get_num_threads() == before


def test_replay_data_takes_part(tiny: dict[str, Any], source: Source) -> None:
    negative = Source([np.zeros((64, 64, 3), np.uint8)], [[]])
    without, with_replay = BaseModel(**tiny, score_threshold=0.005), BaseModel(**tiny, score_threshold=0.005)
    without.train(negative)
    with_replay.train(negative, replay_data=source)
    assert without.predict(source) != with_replay.predict(source)


def test_the_package_is_light_until_a_name_is_used() -> None:
    code = """
import sys
import sedna.algorithms.detection as detection
assert "torch" not in sys.modules
assert detection.FPNConfig().max_iteration == 300
assert "torch" not in sys.modules
assert sorted(detection.__all__) == ["BaseModel", "FPNConfig", "OnnxDetector", "TrainingProgress"]
for name in detection.__all__:
    assert getattr(detection, name).__name__ == name
try:
    detection.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise AssertionError
"""
    path = ":".join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}, check=False
    )
    assert done.returncode == 0, done.stderr
